namespace Respark
{
    /// <summary>One WebSocket, which is being opened from its creation on.</summary>
    public interface ISocket
    {
        /// <summary>How many bytes wait to be sent.</summary>
        long BufferedBytes { get; }

        /// <summary>Sends a text message. Only called between `Opened` and `Closed`; never blocks or throws.</summary>
        void Send(string text);

        /// <summary>Sends a close frame, after what was sent before; `Closed` follows when the server has answered.</summary>
        void Close(int code);

        /// <summary>Drops the connection without a closing handshake.</summary>
        void Abort();
    }

    /// <summary>
    /// Hears of one socket, in order, on the thread that updates the client, and never before the call that creates the
    /// socket has returned. Nothing comes after `Closed`.
    /// </summary>
    public interface ISocketListener
    {
        /// <param name="subprotocol">What the server echoed; empty if nothing.</param>
        void Opened(string subprotocol);

        void Received(string text);

        void ReceivedBinary();

        /// <param name="code">1005 if the close frame had none, 1006 if there was no close frame.</param>
        /// <param name="failure">Why the socket failed, if it knows; else null.</param>
        void Closed(int code, string reason, string failure);
    }

    /// <summary>Opens a socket. It posts what happens to <paramref name="loop"/>, which calls the listener.</summary>
    public delegate ISocket SocketFactory(string url, string subprotocol, EventLoop loop, ISocketListener listener);
}
