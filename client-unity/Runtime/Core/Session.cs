using System;
using System.Collections.Generic;
using System.Text;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;

namespace Respark
{
    /// <summary>Hears of everything in the order in which it happened; `Ended` comes once, and nothing comes after it.</summary>
    internal interface ISessionObserver
    {
        void Welcomed(Welcome welcome);

        void Notified(string type, JObject payload);

        /// <summary>A fault that the application should know about and that does not end the connection.</summary>
        void Faulted(ResparkException error);

        /// <param name="lateMs">How long ago the end could have been known, if timers had not been held back.</param>
        void Ended(Closure closure, double lateMs);
    }

    /// <summary>
    /// One WebSocket, from its opening to its end. A session that has ended is not reused: the client makes a new one.
    ///
    ///   opening ──open──► greeting ──welcome──► ready ──Close()──► closing ──closed, time-out──► ended
    ///
    ///   opening   the socket is being opened                  one deadline for both: connectTimeoutMs
    ///   greeting  the hello has been sent; waiting for the welcome
    ///   ready     messages and heartbeats are exchanged       deadline: the heartbeat's
    ///   closing   our close frame is sent, input is ignored   deadline: CloseTimeoutMs
    ///   ended     the observer has been told why, once; no timer runs, no request waits, nothing is sent or received
    ///
    /// The socket's end, a deadline and Close() leave every state before `closing`; the first two go straight to `ended`.
    /// </summary>
    internal sealed class Session : ISocketListener
    {
        /// <summary>How much may wait in the socket before messages are refused: a server that does not read must not fill
        /// memory.</summary>
        internal const int MaxBufferedBytes = 1048576;

        private const double CloseTimeoutMs = 1000;

        private static readonly string HeartbeatText = FrameCodec.Encode(Frame.Heartbeat);

        private readonly string hello;
        private readonly string locale;
        private readonly EventLoop loop;
        private readonly ISessionObserver observer;
        private readonly ISocket socket;
        private readonly Dictionary<string, PendingRequest> pending = new Dictionary<string, PendingRequest>();
        private readonly TaskCompletionSource<bool> closed = new TaskCompletionSource<bool>();
        private State state = State.Opening;
        /// <summary>What the server allows, and how much of it is left; set from `ready` on.</summary>
        private Welcome welcome;
        private FrameAllowance allowance;
        private Heartbeat heartbeat;
        private EventLoop.Timer deadline;
        private Farewell farewell;
        private int requests;

        internal Session(
            Func<ISocketListener, ISocket> open,
            Frame hello,
            double connectTimeoutMs,
            string locale,
            EventLoop loop,
            ISessionObserver observer)
        {
            this.hello = FrameCodec.Encode(hello);
            this.locale = locale;
            this.loop = loop;
            this.observer = observer;
            socket = open(this);
            deadline = loop.AfterDeadline(connectTimeoutMs, lateMs => Drop($"no welcome within {connectTimeoutMs} ms", lateMs));
        }

        private enum State
        {
            Opening,
            Greeting,
            Ready,
            Closing,
            Ended,
        }

        /// <summary>Calls one of the two, once, and not before this call has returned.</summary>
        internal void Request(
            string type,
            JObject payload,
            double timeoutMs,
            Action<JObject> handleResponse,
            Action<ResparkException> handleError)
        {
            requests += 1;
            var frame = new Frame(FrameKind.Request) { Id = $"{requests}", Type = type, Payload = payload };
            var refusal = state == State.Ready && pending.Count >= welcome.MaxRequestsInFlight
                ? new RequestException($"{welcome.MaxRequestsInFlight} requests are in flight; wait for answers first", "busy")
                : SendMessage(frame);
            if (refusal != null)
            {
                requests -= 1;
                loop.Soon(() => handleError(refusal));
                return;
            }
            var timeout = loop.AfterDeadline(timeoutMs, _ =>
            {
                pending.Remove(frame.Id);
                loop.Soon(() => handleError(new RequestTimeoutException(type, timeoutMs)));
            });
            pending.Add(frame.Id, new PendingRequest(handleResponse, handleError, timeout));
        }

        /// <summary>Throws a ConnectionClosedException or RequestException. An event that was sent may still not arrive.</summary>
        internal void Event(string type, JObject payload)
        {
            var refusal = SendMessage(new Frame(FrameKind.Event) { Type = type, Payload = payload });
            if (refusal != null) throw refusal;
        }

        /// <summary>Finds out soon whether the server is still there.</summary>
        internal void Check()
        {
            if (state == State.Ready) heartbeat.Check();
        }

        /// <summary>Sends a close frame. Done when the socket is closed, or dropped because the server did not answer.</summary>
        internal Task Close()
        {
            state = State.Closing;
            StopTimers();
            RejectPending(Closure.ByClient);
            deadline = loop.After(CloseTimeoutMs, () => Drop("the server did not close", 0));
            socket.Close(CloseCodes.Normal);
            return closed.Task;
        }

        void ISocketListener.Opened(string subprotocol)
        {
            if (state != State.Opening) return;
            if (subprotocol != FrameCodec.Subprotocol)
            {
                socket.Close(CloseCodes.ProtocolError);
                var reason = $"the server must speak {FrameCodec.Subprotocol}, got \"{subprotocol}\"";
                End(new Closure(CloseCodes.ProtocolError, reason), 0);
                return;
            }
            state = State.Greeting;
            socket.Send(hello);
        }

        void ISocketListener.Received(string text)
        {
            Receive(FrameCodec.DecodeFromServer(text, out var fault), fault);
        }

        void ISocketListener.ReceivedBinary()
        {
            Receive(null, "a frame must be text, got a binary message");
        }

        void ISocketListener.Closed(int code, string reason, string failure)
        {
            End(state == State.Closing ? Closure.ByClient : new Closure(code, reason, failure ?? "no reason given"), 0);
        }

        private void Receive(Frame frame, string fault)
        {
            if (state != State.Greeting && state != State.Ready) return;
            heartbeat?.Received();
            if (frame == null) Fault(fault);
            else if (state == State.Ready) Handle(frame);
            else if (frame.Kind == FrameKind.Welcome) Welcomed(frame.Welcome);
            else Fault($"the first frame must be a welcome, got a {frame.Kind}");
        }

        private void Welcomed(Welcome received)
        {
            state = State.Ready;
            welcome = received;
            allowance = new FrameAllowance(welcome, Encoding.UTF8.GetByteCount(hello), loop);
            deadline.Cancel();
            heartbeat = new Heartbeat(welcome.HeartbeatMs, loop, SendHeartbeat, Drop);
            observer.Welcomed(welcome);
        }

        private void SendHeartbeat()
        {
            allowance.Take(HeartbeatText.Length);
            socket.Send(HeartbeatText);
        }

        private void Handle(Frame frame)
        {
            switch (frame.Kind)
            {
                case FrameKind.Response:
                    var answered = TakePending(frame.Id);
                    if (answered != null) loop.Soon(() => answered.HandleResponse(frame.Payload));
                    break;
                case FrameKind.Error:
                    var error = new RequestException(frame.Message, frame.Code);
                    if (frame.Id == null)
                    {
                        observer.Faulted(error);
                        break;
                    }
                    var refused = TakePending(frame.Id);
                    if (refused != null) loop.Soon(() => refused.HandleError(error));
                    break;
                case FrameKind.Notification:
                    if (frame.Type == FrameCodec.Farewell) farewell = Farewell.Read(frame.Payload, locale);
                    observer.Notified(frame.Type, frame.Payload);
                    break;
                case FrameKind.Welcome:
                    Fault("there must be one welcome, got a second");
                    break;
            }
        }

        /// <summary>An id without a pending request belongs to an answer that came after its time-out.</summary>
        private PendingRequest TakePending(string id)
        {
            if (!pending.TryGetValue(id, out var request)) return null;
            pending.Remove(id);
            request.Timeout.Cancel();
            return request;
        }

        private void Fault(string fault)
        {
            observer.Faulted(new ResparkException($"the server sent a bad frame: {fault}", "bad_frame"));
        }

        /// <summary>Refuses what the server would answer by closing the connection. Nothing is queued to be sent later.</summary>
        private ResparkException SendMessage(Frame frame)
        {
            if (state != State.Ready) return new ConnectionClosedException(Closure.ByClient);
            string text;
            try
            {
                text = FrameCodec.Encode(frame);
            }
            catch (Exception error)
            {
                return new RequestException($"payload must be JSON: {error.Message}", "bad_request", error);
            }
            if (FrameCodec.DecodeFromClient(text, out var fault) == null) return new RequestException(fault, "bad_request");
            var bytes = Encoding.UTF8.GetByteCount(text);
            if (bytes > welcome.MaxFrameBytes)
            {
                var message = $"a frame must have at most {welcome.MaxFrameBytes} bytes, got {bytes}";
                return new RequestException(message, "bad_request");
            }
            if (socket.BufferedBytes + bytes > MaxBufferedBytes)
            {
                var message = $"{MaxBufferedBytes} bytes are waiting for the network; send this again later";
                return new RequestException(message, "busy");
            }
            var excess = allowance.TryTake(bytes);
            if (excess != null)
            {
                var most = excess == "messages" ? welcome.MessagesPerSecond : welcome.BytesPerSecond;
                return new RequestException($"too many {excess} at once; send at most {most} a second", "busy");
            }
            socket.Send(text);
            return null;
        }

        /// <summary>Gives up the socket without waiting for the server.</summary>
        private void Drop(string reason, double lateMs)
        {
            End(state == State.Closing ? Closure.ByClient : new Closure(CloseCodes.Abnormal, "", reason), lateMs);
            socket.Abort();
        }

        private void End(Closure how, double lateMs)
        {
            if (state == State.Ended) return;
            state = State.Ended;
            var closure = farewell == null ? how : how.With(farewell);
            StopTimers();
            RejectPending(closure);
            observer.Ended(closure, lateMs);
            closed.TrySetResult(true);
        }

        private void StopTimers()
        {
            deadline?.Cancel();
            heartbeat?.Stop();
        }

        private void RejectPending(Closure closure)
        {
            foreach (var request in pending.Values)
            {
                request.Timeout.Cancel();
                loop.Soon(() => request.HandleError(new ConnectionClosedException(closure)));
            }
            pending.Clear();
        }

        private sealed class PendingRequest
        {
            internal PendingRequest(Action<JObject> handleResponse, Action<ResparkException> handleError, EventLoop.Timer timeout)
            {
                HandleResponse = handleResponse;
                HandleError = handleError;
                Timeout = timeout;
            }

            internal Action<JObject> HandleResponse { get; }

            internal Action<ResparkException> HandleError { get; }

            internal EventLoop.Timer Timeout { get; }
        }
    }
}
