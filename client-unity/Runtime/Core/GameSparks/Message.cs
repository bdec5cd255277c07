namespace Amazon.GameSparks.Unity.DotNet
{
    /// <summary>A message of a game, with its type on the wire, such as `Custom.Game.FindMatch`.</summary>
    public sealed class Message<T>
    {
        public Message(string type, T payload)
        {
            Type = type;
            Payload = payload;
        }

        public string Type { get; }

        public T Payload { get; }

        public override string ToString()
        {
            return $"{Type}: {Payload}";
        }
    }
}
