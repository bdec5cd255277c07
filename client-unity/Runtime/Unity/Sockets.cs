namespace Respark
{
    /// <summary>The sockets of the platform that the game is built for.</summary>
    public static class Sockets
    {
        public static ISocket Open(string url, string subprotocol, EventLoop loop, ISocketListener listener)
        {
#if UNITY_WEBGL && !UNITY_EDITOR
            // It asks the plug-in in each frame what has happened.
            ClientPump.Prepare();
            return WebSocketOfBrowser.Open(url, subprotocol, loop, listener);
#else
            return NativeSocket.Open(url, subprotocol, loop, listener);
#endif
        }
    }
}
