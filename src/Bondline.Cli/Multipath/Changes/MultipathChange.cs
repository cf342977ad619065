using System.Text.Json.Serialization;

namespace Bondline.Cli.Multipath;

/// <summary>One change of this machine: what it does in plain words, what would do the same by hand, and how it is undone.</summary>
/// <remarks>It is written down before it is made (<see cref="MultipathJournal"/>), so undoing must do with one that was never made, or half.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SysctlChange), "sysctl")]
[JsonDerivedType(typeof(RouteChange), "route")]
[JsonDerivedType(typeof(LimitsChange), "limits")]
[JsonDerivedType(typeof(EndpointChange), "endpoint")]
[JsonDerivedType(typeof(SettingsChange), "settings")]
[JsonDerivedType(typeof(ServiceChange), "service")]
[JsonDerivedType(typeof(ConnectionChange), "connection")]
internal abstract record MultipathChange
{
    /// <summary>What it is for; a sentence without its full stop.</summary>
    [JsonIgnore]
    public string Sentence => Describe().Sentence;

    /// <summary>What to type to make it by hand.</summary>
    [JsonIgnore]
    public string Command => Describe().Command;

    /// <summary>What to type to undo it by hand.</summary>
    [JsonIgnore]
    public string UndoCommand => Describe().UndoCommand;

    /// <summary>The word for it in <c>--json</c>, as in the journal.</summary>
    [JsonIgnore]
    public string Kind => Describe().Kind;

    /// <returns>What the user should know of it; null if all went as the sentence says.</returns>
    /// <exception cref="CommandException">It could not be made.</exception>
    public abstract string? Make(IMultipathSystem system);

    /// <summary>Restores what was before, if it is still as <see cref="Make"/> left it.</summary>
    /// <exception cref="CommandException">It could not be undone.</exception>
    public abstract UndoResult Undo(IMultipathSystem system);

    /// <summary>Takes back what was made a moment ago, because something after it failed. What it repeats of other changes is theirs to undo.</summary>
    /// <exception cref="CommandException">It could not be undone.</exception>
    public virtual void TakeBack(IMultipathSystem system) => Undo(system);

    /// <summary>What it made is not there any more, nor can it come back by itself: there is nothing to undo.</summary>
    /// <param name="facts">The machine; its interfaces may have changed a moment ago.</param>
    /// <param name="system">The same, to ask for more.</param>
    /// <exception cref="CommandException">It cannot be known.</exception>
    public virtual bool IsMissing(MultipathFacts facts, IMultipathSystem system) => false;

    protected abstract ChangeWords Describe();
}

/// <summary>A change in words: <see cref="MultipathChange.Kind"/> and so on.</summary>
internal readonly record struct ChangeWords(string Kind, string Sentence, string Command, string UndoCommand);

/// <summary>What undoing a change came to.</summary>
/// <param name="Outcome">Whether there was anything to undo.</param>
/// <param name="Detail">Why not; a sentence without its full stop; null if there is nothing to explain.</param>
internal readonly record struct UndoResult(UndoOutcome Outcome, string? Detail = null);

internal enum UndoOutcome
{
    Undone,

    /// <summary>It was not there any more, or never: all is as before.</summary>
    Gone,

    /// <summary>Somebody changed it since, and it was left alone.</summary>
    Left,
}
