using System;
using System.Collections.Generic;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Respark
{
    /// <summary>
    /// A socket of .NET. It reads, writes and connects on threads of the pool, and posts what happens to the loop. If the
    /// loop is not updated, it stops reading after a while, so that nothing piles up.
    /// </summary>
    public sealed class NativeSocket : ISocket
    {
        /// <summary>How many messages may wait for the loop; a long one counts as several.</summary>
        private const int MaxUnread = 64;

        /// <summary>A longer message ends the connection; the server's own limit is far below.</summary>
        private const int MaxMessageBytes = 16 * 1048576;

        /// <summary>What one message may have that counts as no more than one. The longest one counts as all.</summary>
        private const int UnreadBytes = MaxMessageBytes / MaxUnread;

        /// <summary>How long the server has to answer a close frame, and what lies unread when nothing can be sent.</summary>
        private const int MaxClosingMs = 5000;

        /// <summary>How long a receive has to end once it is cancelled.</summary>
        private const int MaxCancellingMs = 1000;

        private readonly ClientWebSocket socket = new ClientWebSocket();
        private readonly CancellationTokenSource cancel = new CancellationTokenSource();
        private readonly SemaphoreSlim unread = new SemaphoreSlim(MaxUnread);
        private readonly EventLoop loop;
        private readonly ISocketListener listener;
        /// <summary>What is still to be sent, guarded by itself; a close code after all messages.</summary>
        private readonly Queue<Outgoing> outgoing = new Queue<Outgoing>();
        private bool isSending;
        private bool isOpen;
        private bool isGone;
        private long bufferedBytes;

        private NativeSocket(string url, string subprotocol, EventLoop loop, ISocketListener listener)
        {
            this.loop = loop;
            this.listener = listener;
            socket.Options.AddSubProtocol(subprotocol);
            // The protocol has heartbeats of its own.
            socket.Options.KeepAliveInterval = TimeSpan.Zero;
            var uri = new Uri(url);
            Task.Run(() => Run(uri));
        }

        public long BufferedBytes => Interlocked.Read(ref bufferedBytes);

        /// <summary>Throws if the URL is not one.</summary>
        public static ISocket Open(string url, string subprotocol, EventLoop loop, ISocketListener listener)
        {
            return new NativeSocket(url, subprotocol, loop, listener);
        }

        public void Send(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            Interlocked.Add(ref bufferedBytes, bytes.Length);
            Enqueue(new Outgoing { Bytes = bytes });
        }

        public void Close(int code)
        {
            if (isOpen) Enqueue(new Outgoing { CloseCode = code });
            else Abort();
        }

        public void Abort()
        {
            // On another thread, because whatever is cancelled may go on at once on the thread that cancels it.
            Task.Run(Cancel);
        }

        /// <summary>From the opening to the end. It never throws.</summary>
        private async Task Run(Uri uri)
        {
            var code = CloseCodes.Abnormal;
            var reason = "";
            string failure = null;
            try
            {
                await socket.ConnectAsync(uri, cancel.Token).ConfigureAwait(false);
                loop.Post(() =>
                {
                    isOpen = true;
                    listener.Opened(socket.SubProtocol ?? "");
                });
                await ReceiveUntilEnd().ConfigureAwait(false);
                code = (int)(socket.CloseStatus ?? WebSocketCloseStatus.Empty);
                reason = socket.CloseStatusDescription ?? "";
                // .NET takes a close frame without a code for one with 1000. Respark gives a reason with each code.
                if (code == CloseCodes.Normal && reason.Length == 0) code = CloseCodes.NoStatus;
                // The answer to the server's close frame, unless this side has sent its own already.
                if (socket.State == WebSocketState.CloseReceived) await SendClose(CloseCodes.Normal).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                if (code == CloseCodes.Abnormal) failure = Cause(error);
            }
            Cancel();
            socket.Dispose();
            loop.Post(() =>
            {
                isGone = true;
                listener.Closed(code, reason, failure);
            });
        }

        /// <summary>Now and then, Mono never completes a receive that is cancelled while a close frame is being sent.</summary>
        private async Task ReceiveUntilEnd()
        {
            var receiving = ReceiveAll();
            var cancelled = new TaskCompletionSource<bool>();
            using (cancel.Token.Register(() => cancelled.TrySetResult(true)))
            {
                await Task.WhenAny(receiving, cancelled.Task).ConfigureAwait(false);
            }
            if (!receiving.IsCompleted) await Task.WhenAny(receiving, Task.Delay(MaxCancellingMs)).ConfigureAwait(false);
            if (!receiving.IsCompleted) throw new OperationCanceledException();
            await receiving.ConfigureAwait(false);
        }

        /// <summary>Until the close frame.</summary>
        private async Task ReceiveAll()
        {
            var buffer = new byte[4096];
            for (;;)
            {
                await unread.WaitAsync(cancel.Token).ConfigureAwait(false);
                var length = 0;
                WebSocketReceiveResult received;
                do
                {
                    if (length == buffer.Length) Array.Resize(ref buffer, 2 * length);
                    var room = new ArraySegment<byte>(buffer, length, buffer.Length - length);
                    received = await socket.ReceiveAsync(room, cancel.Token).ConfigureAwait(false);
                    length += received.Count;
                    if (length > MaxMessageBytes) throw new WebSocketException($"a message has more than {MaxMessageBytes} bytes");
                }
                while (!received.EndOfMessage && received.MessageType != WebSocketMessageType.Close);
                if (received.MessageType == WebSocketMessageType.Close) return;
                var weight = Math.Max(1, (length + UnreadBytes - 1) / UnreadBytes);
                // Whoever waits here is the only one who takes, so those before it make room.
                for (var taken = 1; taken < weight; taken += 1) await unread.WaitAsync(cancel.Token).ConfigureAwait(false);
                var text = received.MessageType == WebSocketMessageType.Text ? Encoding.UTF8.GetString(buffer, 0, length) : null;
                loop.Post(() =>
                {
                    unread.Release(weight);
                    if (isGone) return;
                    if (text == null) listener.ReceivedBinary();
                    else listener.Received(text);
                });
            }
        }

        private void Enqueue(Outgoing next)
        {
            lock (outgoing)
            {
                outgoing.Enqueue(next);
                if (isSending) return;
                isSending = true;
            }
            Task.Run(SendAll);
        }

        /// <summary>A failure ends the connection, which the one who receives hears of.</summary>
        /// <remarks>The server may have said why before, in a close frame that is still to be read.</remarks>
        private async Task SendAll()
        {
            try
            {
                for (;;)
                {
                    Outgoing next;
                    lock (outgoing)
                    {
                        isSending = outgoing.Count > 0;
                        if (!isSending) return;
                        next = outgoing.Dequeue();
                    }
                    if (next.Bytes == null)
                    {
                        CancelLater();
                        await SendClose(next.CloseCode).ConfigureAwait(false);
                        continue;
                    }
                    var bytes = new ArraySegment<byte>(next.Bytes);
                    await socket.SendAsync(bytes, WebSocketMessageType.Text, true, cancel.Token).ConfigureAwait(false);
                    Interlocked.Add(ref bufferedBytes, -next.Bytes.Length);
                }
            }
            catch (Exception)
            {
                CancelLater();
            }
        }

        private void CancelLater()
        {
            Task.Delay(MaxClosingMs, cancel.Token).ContinueWith(
                _ => Cancel(),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion,
                TaskScheduler.Default);
        }

        private void Cancel()
        {
            try
            {
                cancel.Cancel();
            }
            catch (AggregateException)
            {
                // The socket, or the stream under it, failed at its own end, which is what was wanted.
            }
        }

        private Task SendClose(int code)
        {
            return socket.CloseOutputAsync((WebSocketCloseStatus)code, "", cancel.Token);
        }

        /// <summary>One line. What is around the innermost exception only says that something failed.</summary>
        private static string Cause(Exception error)
        {
            while (error.InnerException != null) error = error.InnerException;
            return error.Message.Split('\n')[0].Trim();
        }

        private struct Outgoing
        {
            /// <summary>Null for a close frame.</summary>
            internal byte[] Bytes;
            internal int CloseCode;
        }
    }
}
