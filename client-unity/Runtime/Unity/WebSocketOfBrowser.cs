#if UNITY_WEBGL && !UNITY_EDITOR
using System.Collections.Generic;
using System.Runtime.InteropServices;
#endif

namespace Respark
{
    /// <summary>
    /// The WebSocket of the page that the game runs in. The plug-in beside it keeps what happens until the pump asks, since
    /// how a plug-in calls back differs between the versions of Unity. On other platforms it does nothing.
    /// </summary>
    internal sealed class WebSocketOfBrowser
#if UNITY_WEBGL && !UNITY_EDITOR
        : ISocket
#endif
    {
#if UNITY_WEBGL && !UNITY_EDITOR
        /// <summary>What the plug-in tells, by its numbers.</summary>
        private const int Nothing = 0;
        private const int Opened = 1;
        private const int Text = 2;
        private const int Binary = 3;
        private const int Closed = 4;

        private static readonly List<WebSocketOfBrowser> All = new List<WebSocketOfBrowser>();

        private readonly int id;
        private readonly EventLoop loop;
        private readonly ISocketListener listener;
        private bool isGone;

        private WebSocketOfBrowser(int id, EventLoop loop, ISocketListener listener)
        {
            this.id = id;
            this.loop = loop;
            this.listener = listener;
        }

        public long BufferedBytes => (long)ResparkSocketBuffered(id);

        internal static ISocket Open(string url, string subprotocol, EventLoop loop, ISocketListener listener)
        {
            var id = ResparkSocketOpen(url, subprotocol);
            if (id == 0) throw new ResparkException($"the browser refuses a WebSocket to {url}", "no_socket");
            var socket = new WebSocketOfBrowser(id, loop, listener);
            All.Add(socket);
            return socket;
        }

        internal static void PollAll()
        {
            for (var at = All.Count - 1; at >= 0; at -= 1)
            {
                All[at].Poll();
                if (All[at].isGone) All.RemoveAt(at);
            }
        }

        public void Send(string text)
        {
            ResparkSocketSend(id, text);
        }

        public void Close(int code)
        {
            ResparkSocketClose(id, code);
        }

        public void Abort()
        {
            // A page cannot break a connection; the browser closes it when it can.
            ResparkSocketClose(id, 1000);
        }

        private void Poll()
        {
            for (var kind = ResparkSocketNext(id); kind != Nothing; kind = ResparkSocketNext(id))
            {
                var text = ResparkSocketText(id);
                var code = ResparkSocketCode(id);
                switch (kind)
                {
                    case Opened:
                        loop.Post(() => listener.Opened(text));
                        break;
                    case Text:
                        loop.Post(() => listener.Received(text));
                        break;
                    case Binary:
                        loop.Post(listener.ReceivedBinary);
                        break;
                    case Closed:
                        isGone = true;
                        loop.Post(() => listener.Closed(code, text, null));
                        ResparkSocketForget(id);
                        return;
                }
            }
        }

        [DllImport("__Internal")]
        private static extern int ResparkSocketOpen(string url, string subprotocol);

        [DllImport("__Internal")]
        private static extern int ResparkSocketNext(int id);

        [DllImport("__Internal")]
        private static extern string ResparkSocketText(int id);

        [DllImport("__Internal")]
        private static extern int ResparkSocketCode(int id);

        [DllImport("__Internal")]
        private static extern double ResparkSocketBuffered(int id);

        [DllImport("__Internal")]
        private static extern void ResparkSocketSend(int id, string text);

        [DllImport("__Internal")]
        private static extern void ResparkSocketClose(int id, int code);

        [DllImport("__Internal")]
        private static extern void ResparkSocketForget(int id);
#else
        internal static void PollAll()
        {
        }
#endif
    }
}
