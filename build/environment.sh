# For the scripts to source: what every call of the dotnet command here needs.

# Say nothing to anyone, print no banner, and do not want ICU (slim containers have none).
export DOTNET_CLI_TELEMETRY_OPTOUT=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
export DOTNET_GENERATE_ASPNET_CERTIFICATE=false DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1

# Leave no build servers behind.
export DOTNET_CLI_USE_MSBUILD_SERVER=0 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false

# Services and containers often have no home; dotnet and NuGet insist on one.
if [ -z "${HOME:-}" ]; then
    HOME=$PWD/.build/home
    export HOME
    mkdir -p "$HOME"
fi
