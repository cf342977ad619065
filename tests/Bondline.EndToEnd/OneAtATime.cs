namespace Bondline.EndToEnd;

/// <summary>Test classes that measure time, rates or memory: each has the machine for itself.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class OneAtATime;
