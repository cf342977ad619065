namespace Bondline.Lab;

/// <summary>The lab could not do what it was asked; the message says what, and what the tool that refused said.</summary>
public sealed class LabException(string message, Exception? inner = null) : Exception(message, inner);
