using Respark;

namespace Amazon.GameSparks.Unity.EngineIntegration
{
    /// <summary>Why a request was not answered as its game expects.</summary>
    public sealed class DefaultError
    {
        internal DefaultError(ResparkException cause)
        {
            Code = cause.Code;
            Message = cause.Message;
            Closure = (cause as ConnectionClosedException)?.Closure;
        }

        /// <summary>One of the protocol's codes, such as `no_handler`, one of the game's own, or the name of a close code.</summary>
        public string Code { get; }

        public string Message { get; }

        /// <summary>How the connection ended; null if that is not the reason.</summary>
        public Closure Closure { get; }

        public override string ToString()
        {
            return $"{Code}: {Message}";
        }
    }
}
