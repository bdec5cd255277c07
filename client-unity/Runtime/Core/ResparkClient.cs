using System;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;

namespace Respark
{
    public enum ClientState
    {
        Closed,
        Connecting,
        Connected,
        Waiting,
    }

    public sealed class ClientOptions
    {
        /// <summary>`ws(s)://HOST:PORT`, or the same with `http(s)`; the path `/connect` is added if there is none.</summary>
        public string Url { get; set; }

        public string GameKey { get; set; }

        /// <summary>Names the player, and takes precedence over the storage. Without either, the server makes a guest.</summary>
        public string Token { get; set; }

        /// <summary>Gives the tokens instead: asked before each attempt, and once more when the server refuses what it gave;
        /// then the storage is not used at all.</summary>
        public TokenSource TokenSource { get; set; }

        /// <summary>Without any, the player lives as long as this client.</summary>
        public ITokenStorage Storage { get; set; }

        /// <summary>By default <see cref="NativeSocket.Open"/>, which needs threads.</summary>
        public SocketFactory OpenSocket { get; set; } = NativeSocket.Open;

        /// <summary>How long an answer may take.</summary>
        public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

        /// <summary>How long an attempt may take until its welcome.</summary>
        public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

        public BackoffOptions Reconnect { get; set; } = new BackoffOptions();

        /// <summary>The player's, such as `pt-BR`, in which messages of the server are shown if it has them; by default the
        /// platform's.</summary>
        public string Locale { get; set; }

        /// <summary>Returns numbers from 0 up to but not including 1, for the jitter.</summary>
        public Func<double> Random { get; set; }

        public IClock Clock { get; set; } = new SystemClock();
    }

    /// <summary>What the server sent by itself. Types that begin with `Respark.` are the server's own.</summary>
    public sealed class Notification
    {
        internal Notification(string type, JObject payload)
        {
            Type = type;
            Payload = payload;
        }

        public string Type { get; }

        public JObject Payload { get; }
    }

    /// <summary>How a connection, or an attempt to open one, ended, and what the client does next.</summary>
    public sealed class Disconnect
    {
        internal Disconnect(Closure closure, double? reconnectInMs)
        {
            Closure = closure;
            ReconnectInMs = reconnectInMs;
        }

        public Closure Closure { get; }

        /// <summary>When the next attempt starts, in milliseconds from now; null if there is none.</summary>
        public double? ReconnectInMs { get; }
    }

    /// <summary>
    /// One connection after another, all of the same player.
    ///
    ///   closed ──Connect()──► connecting ──welcome──► connected
    ///                          ▲      │                   │
    ///                          │      └──── it ended ─────┤
    ///                          └──waited── waiting ◄──────┴── verdict "reconnect" and attempts left
    ///
    ///   closed      nothing runs; entered after a "stop" verdict, after the last attempt, and from any state by Close()
    ///   connecting  a session before its welcome
    ///   connected   a session after its welcome
    ///   waiting     the back-off before the next attempt; cut short by Connect() and Hurry()
    ///
    /// Everything happens in <see cref="Update"/>, which calls all handlers, on the thread that calls it. All members must
    /// be used on that thread.
    /// </summary>
    public sealed class ResparkClient
    {
        /// <summary>A connection that lasts this long after its welcome counts as good: the back-off starts again.</summary>
        private const double LastingMs = 10000;

        /// <summary>How often a wait may be cut short, so that neither flapping events nor an impatient caller make a storm.</summary>
        private const double HurrySpacingMs = 10000;

        /// <summary>The back-off starts again from its base only if no wait was cut short for this long.</summary>
        private const double CalmMs = 60000;

        private readonly string url;
        private readonly string gameKey;
        private readonly string locale;
        private readonly double requestTimeoutMs;
        private readonly double connectTimeoutMs;
        private readonly SocketFactory openSocket;
        private readonly Backoff backoff;
        private readonly PlayerToken token;
        private readonly EventLoop loop;
        /// <summary>Counts attempts; whatever an older attempt still reports is ignored.</summary>
        private int attempt;
        private Session session;
        private Welcome welcome;
        private double? welcomedAtMs;
        private Closure lastClosure = Closure.NotConnected;
        private TaskCompletionSource<Welcome> pendingConnect;
        private EventLoop.Timer wait;
        /// <summary>When the wait ends, and when it may end at the earliest, because the server asked for that.</summary>
        private double waitUntilMs;
        private double waitAtLeastUntilMs;
        private double hurriedAtMs = double.NegativeInfinity;
        private Task closing = Task.FromResult(true);

        /// <summary>Throws a ResparkException if the URL is not the address of a server.</summary>
        public ResparkClient(ClientOptions options)
        {
            url = Endpoint.Of(options.Url);
            gameKey = options.GameKey;
            locale = options.Locale;
            requestTimeoutMs = options.RequestTimeout.TotalMilliseconds;
            connectTimeoutMs = options.ConnectTimeout.TotalMilliseconds;
            openSocket = options.OpenSocket;
            loop = new EventLoop(options.Clock);
            // Those that start at the same time must not draw the same numbers.
            backoff = new Backoff(options.Reconnect, options.Random ?? new Random(Guid.NewGuid().GetHashCode()).NextDouble);
            token = new PlayerToken(options.Token, options.TokenSource, options.Storage, url, gameKey, loop, Emit);
        }

        public event Action<ClientState> StateChanged;

        public event Action<Welcome> Welcomed;

        public event Action<Notification> Notified;

        public event Action<Disconnect> Disconnected;

        /// <summary>A failure outside of any call: of the storage, of a renewal, or of an event that the server could not
        /// handle.</summary>
        public event Action<ResparkException> Failed;

        public ClientState State { get; private set; }

        /// <summary>The player of the latest welcome, also while there is no connection; null before the first welcome.</summary>
        public string PlayerId => welcome?.PlayerId;

        /// <summary>The id of the current connection; null unless connected.</summary>
        public string ConnectionId => State == ClientState.Connected ? welcome.ConnectionId : null;

        internal EventLoop Loop => loop;

        /// <summary>
        /// Does what is due; call it in every frame. It allocates nothing while nothing happens. What a handler throws, it
        /// throws at the end.
        /// </summary>
        public void Update()
        {
            loop.Update();
        }

        /// <summary>
        /// Done at the next welcome, or at once if the client is connected. It waits through failed attempts, and fails with
        /// a ConnectionClosedException when an attempt ends with the verdict "stop", when no attempts are left, and at
        /// <see cref="Close"/>. It hurries, too (<see cref="Hurry"/>).
        /// </summary>
        public Task<Welcome> Connect()
        {
            Hurry();
            if (State == ClientState.Connected) return Task.FromResult(welcome);
            if (pendingConnect == null)
            {
                pendingConnect = new TaskCompletionSource<Welcome>();
                // Not everybody waits for it: the events say the same.
                pendingConnect.Task.ContinueWith(
                    failed => failed.Exception,
                    CancellationToken.None,
                    TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            }
            var connected = pendingConnect.Task;
            if (State == ClientState.Closed)
            {
                backoff.Reset();
                StartAttempt();
            }
            return connected;
        }

        /// <summary>
        /// There is reason to believe that an attempt would succeed now: the network is back, or the player has returned.
        /// While waiting, an attempt starts now, or as soon as the server allows one (`retryAfterMs`); while connected, the
        /// client checks that the server is still there. More often than every ten seconds it does not cut a wait short.
        /// </summary>
        public void Hurry()
        {
            if (State == ClientState.Connected) session.Check();
            if (State != ClientState.Waiting) return;
            var now = loop.NowMs;
            if (now >= waitUntilMs)
            {
                // The timer was held back.
                StartAttempt();
                return;
            }
            var calmMs = now - hurriedAtMs;
            if (calmMs < HurrySpacingMs) return;
            hurriedAtMs = now;
            if (calmMs >= CalmMs) backoff.Reset();
            var atLeastMs = waitAtLeastUntilMs - now;
            if (atLeastMs <= 0) StartAttempt();
            else Wait(Math.Min(waitUntilMs - now, backoff.Next(atLeastMs) ?? double.PositiveInfinity));
        }

        /// <summary>
        /// Calls `handleResponse` with the payload of the answer, or `handleError` with a RequestException, a
        /// RequestTimeoutException, or, if there is no connection or it ends before the answer, a ConnectionClosedException.
        /// Nothing is queued for later: a request that the server would not accept now, because a limit of the welcome on
        /// messages, bytes or requests in flight is reached, is refused with the code `busy`.
        /// </summary>
        /// <param name="timeout">By default that of the options.</param>
        public void Request(
            string type,
            JObject payload,
            Action<JObject> handleResponse,
            Action<ResparkException> handleError,
            TimeSpan? timeout = null)
        {
            if (State == ClientState.Connected)
            {
                var timeoutMs = timeout == null ? requestTimeoutMs : timeout.Value.TotalMilliseconds;
                session.Request(type, payload, timeoutMs, handleResponse, handleError);
                return;
            }
            var refusal = new ConnectionClosedException(lastClosure);
            loop.Soon(() => handleError(refusal));
        }

        /// <summary>The same for `await`.</summary>
        public Task<JObject> Request(string type, JObject payload = null, TimeSpan? timeout = null)
        {
            var answer = new TaskCompletionSource<JObject>();
            Request(type, payload, response => answer.TrySetResult(response), error => answer.TrySetException(error), timeout);
            return answer.Task;
        }

        /// <summary>Sends a message that gets no answer. Throws a RequestException or a ConnectionClosedException if it was
        /// not sent.</summary>
        public void Event(string type, JObject payload = null)
        {
            if (State != ClientState.Connected) throw new ConnectionClosedException(lastClosure);
            session.Event(type, payload);
        }

        /// <summary>
        /// Ends the connection and all attempts. Done when the socket is gone, within about a second, if the client is
        /// updated until then. Connect() may be called again, and connects as the same player.
        /// </summary>
        public Task Close()
        {
            var open = session;
            if (State != ClientState.Closed) Ended(Closure.ByClient, 0);
            if (open != null) closing = open.Close();
            return closing;
        }

        /// <summary>Closes, and forgets the token, also in the storage: the next Connect() makes a new guest.</summary>
        public Task ForgetPlayer()
        {
            // In this order, because a listener that hears of the end may connect again.
            return Task.WhenAll(token.Forget(), Close());
        }

        private void StartAttempt()
        {
            wait?.Cancel();
            attempt += 1;
            var current = attempt;
            SetState(ClientState.Connecting);
            Open(current);
        }

        /// <summary>Never fails, so nobody waits for it.</summary>
        private async void Open(int current)
        {
            string newest;
            try
            {
                newest = await loop.Resume(token.Load(connectTimeoutMs));
            }
            catch (Exception error)
            {
                if (current == attempt) MissedToken(error);
                return;
            }
            if (current != attempt) return;
            try
            {
                var hello = new Frame(FrameKind.Hello) { GameKey = gameKey, Token = newest };
                session = new Session(
                    listener => openSocket(url, FrameCodec.Subprotocol, loop, listener),
                    hello,
                    connectTimeoutMs,
                    locale,
                    loop,
                    new Observer(this, current));
            }
            catch (Exception error)
            {
                var failure = new ResparkException($"no socket could be made: {error.Message}", "no_socket", error);
                Fail(failure);
                Emit(failure);
            }
        }

        /// <summary>The source of tokens may be away for as long as the network is, so this ends an attempt like a lost
        /// connection.</summary>
        private void MissedToken(Exception cause)
        {
            var reason = $"the game's own function gave no token: {cause.Message}";
            Ended(new Closure(CloseCodes.Abnormal, "", reason), 0);
            Emit(new ResparkException(reason, "token", cause));
        }

        private void OnWelcome(Welcome received)
        {
            var current = session;
            welcome = received;
            welcomedAtMs = loop.NowMs;
            var pending = pendingConnect;
            pendingConnect = null;
            // Renewing starts before any handler is called, because a handler may close this connection, which stops it.
            token.StartRenewing(
                () =>
                {
                    var answer = new TaskCompletionSource<JObject>();
                    current.Request(
                        FrameCodec.GetPlayerToken,
                        new JObject(),
                        requestTimeoutMs,
                        payload => answer.TrySetResult(payload),
                        error => answer.TrySetException(error));
                    return answer.Task;
                },
                received.PlayerId,
                received.TokenLifetimeMs);
            if (pending != null) loop.Soon(() => pending.TrySetResult(received));
            SetState(ClientState.Connected);
            Emit(Welcomed, received);
        }

        /// <summary>
        /// Ends the current attempt, whatever its state, and decides whether there is another one. The wait for it counts
        /// from when the end could have been known: where timers are held back, even a short one may take a minute.
        /// </summary>
        private void Ended(Closure closure, double lateMs)
        {
            var lastedMs = welcomedAtMs == null ? 0 : loop.NowMs - welcomedAtMs.Value;
            if (lastedMs >= LastingMs) backoff.Reset();
            var mayRetry = closure.CloseCode == CloseCodes.TokenRefused ? token.Refused() : closure.Verdict == Verdict.Reconnect;
            var waitMs = mayRetry ? backoff.Next(closure.RetryAfterMs ?? 0) : null;
            LeaveAttempt(closure);
            if (waitMs == null)
            {
                Fail(new ConnectionClosedException(closure));
                Emit(Disconnected, new Disconnect(closure, null));
                return;
            }
            var reconnectInMs = Math.Max(0, waitMs.Value - lateMs);
            var current = attempt;
            waitAtLeastUntilMs = loop.NowMs + (closure.RetryAfterMs ?? 0);
            Wait(reconnectInMs);
            SetState(ClientState.Waiting);
            Emit(Disconnected, new Disconnect(closure, reconnectInMs));
            // A timer of no time could be held back too. A handler may have closed the client meanwhile.
            if (reconnectInMs <= 0 && current == attempt) StartAttempt();
        }

        private void Wait(double forMs)
        {
            wait?.Cancel();
            waitUntilMs = loop.NowMs + forMs;
            wait = loop.After(forMs, StartAttempt);
        }

        private void LeaveAttempt(Closure closure)
        {
            attempt += 1;
            session = null;
            welcomedAtMs = null;
            lastClosure = closure;
            wait?.Cancel();
            token.StopRenewing();
        }

        private void Fail(ResparkException error)
        {
            var pending = pendingConnect;
            pendingConnect = null;
            if (pending != null) loop.Soon(() => pending.TrySetException(error));
            SetState(ClientState.Closed);
        }

        private void SetState(ClientState state)
        {
            State = state;
            Emit(StateChanged, state);
        }

        private void Emit(ResparkException error)
        {
            Emit(Failed, error);
        }

        /// <summary>A handler that throws does not keep the others from being called.</summary>
        private void Emit<T>(Action<T> handlers, T argument)
        {
            if (handlers == null) return;
            foreach (var handler in handlers.GetInvocationList()) loop.Call((Action<T>)handler, argument);
        }

        /// <summary>What an attempt hears, as long as it is the current one.</summary>
        private sealed class Observer : ISessionObserver
        {
            private readonly ResparkClient client;
            private readonly int attempt;

            internal Observer(ResparkClient client, int attempt)
            {
                this.client = client;
                this.attempt = attempt;
            }

            private bool IsCurrent => attempt == client.attempt;

            void ISessionObserver.Welcomed(Welcome welcome)
            {
                if (IsCurrent) client.OnWelcome(welcome);
            }

            void ISessionObserver.Notified(string type, JObject payload)
            {
                if (IsCurrent) client.Emit(client.Notified, new Notification(type, payload));
            }

            void ISessionObserver.Faulted(ResparkException error)
            {
                if (IsCurrent) client.Emit(error);
            }

            void ISessionObserver.Ended(Closure closure, double lateMs)
            {
                if (IsCurrent) client.Ended(closure, lateMs);
            }
        }
    }
}
