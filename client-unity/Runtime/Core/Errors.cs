using System;

namespace Respark
{
    /// <summary>Every failure of this package is one. <see cref="Code"/> is for programs, the message for people.</summary>
    public class ResparkException : Exception
    {
        public ResparkException(string message, string code, Exception cause = null)
            : base(message, cause)
        {
            Code = code;
        }

        public string Code { get; }
    }

    /// <summary>
    /// The request was refused by the server, or, with the codes `bad_request` and `busy`, by this client before it was
    /// sent, because the server would have refused it or closed the connection.
    /// </summary>
    public sealed class RequestException : ResparkException
    {
        public RequestException(string message, string code, Exception cause = null)
            : base(message, code, cause)
        {
        }
    }

    /// <summary>No answer arrived in time. The request may or may not have taken effect.</summary>
    public sealed class RequestTimeoutException : ResparkException
    {
        internal RequestTimeoutException(string type, double timeoutMs)
            : base($"no answer to \"{type}\" within {timeoutMs} ms; it may have taken effect", "timeout")
        {
        }
    }

    /// <summary>There is no connection. A request that was in flight may or may not have taken effect.</summary>
    public sealed class ConnectionClosedException : ResparkException
    {
        internal ConnectionClosedException(Closure closure)
            : base($"connection closed: {closure}", closure.Name ?? "closed")
        {
            Closure = closure;
        }

        public Closure Closure { get; }
    }
}
