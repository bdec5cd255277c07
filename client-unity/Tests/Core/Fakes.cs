using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    /// <summary>Time that moves only when a test moves it.</summary>
    internal sealed class FakeClock : IClock
    {
        public double NowMs { get; set; }
    }

    /// <summary>Moves the time of a loop. With `wakeMs`, timers fire only at its multiples, as in a hidden tab.</summary>
    internal sealed class Ticker
    {
        private readonly double wakeMs;
        private readonly FakeClock clock;

        internal Ticker(double wakeMs = 0, FakeClock clock = null)
        {
            this.wakeMs = wakeMs;
            this.clock = clock ?? new FakeClock();
            Loop = new EventLoop(this.clock);
        }

        internal EventLoop Loop { get; set; }

        internal FakeClock Clock => clock;

        internal double NowMs => clock.NowMs;

        internal int Timers => Loop.Timers;

        /// <summary>Moves time without firing any timer, as when the machine sleeps.</summary>
        internal void Sleep(double forMs)
        {
            clock.NowMs += forMs;
        }

        /// <summary>Does everything that needs no time.</summary>
        internal void Settle()
        {
            for (var round = 0; round < 20; round += 1) Loop.RunPosted();
            Loop.Rethrow();
        }

        /// <summary>Fires the timers that are due, in order, as real time would.</summary>
        internal void Advance(double byMs)
        {
            var endMs = clock.NowMs + byMs;
            Settle();
            for (var atMs = NextWakeMs(); atMs <= endMs; atMs = NextWakeMs())
            {
                clock.NowMs = Math.Max(clock.NowMs, atMs);
                Loop.FireTimers();
                Settle();
            }
            clock.NowMs = endMs;
        }

        private double NextWakeMs()
        {
            if (wakeMs <= 0) return Loop.NextDueMs;
            // A timer that is set in a wake-up, even for no time at all, waits for the next one.
            return wakeMs * Math.Max(Math.Ceiling(Loop.NextDueMs / wakeMs), Math.Floor(clock.NowMs / wakeMs) + 1);
        }
    }

    /// <summary>A socket whose other end is played by the test.</summary>
    internal sealed class FakeSocket : ISocket
    {
        internal static readonly string Welcome =
            "{\"kind\":\"welcome\",\"playerId\":\"player-1\",\"connectionId\":\"connection-1\",\"heartbeatMs\":20000,"
            + "\"maxFrameBytes\":65536,\"messagesPerSecond\":50,\"messagesBurst\":100,\"bytesPerSecond\":65536,"
            + "\"bytesBurst\":262144,\"maxRequestsInFlight\":64,\"tokenLifetimeMs\":3600000}";

        private readonly ISocketListener listener;

        internal FakeSocket(string url, ISocketListener listener)
        {
            Url = url;
            this.listener = listener;
        }

        public long BufferedBytes { get; internal set; }

        internal string Url { get; }

        internal List<JObject> Sent { get; } = new List<JObject>();

        /// <summary>The code that this end closed with.</summary>
        internal int? ClosedWith { get; private set; }

        internal bool IsAborted { get; private set; }

        /// <summary>Whether the other end has closed, or this end has aborted.</summary>
        internal bool IsGone { get; private set; }

        internal string LastText { get; private set; }

        internal JObject LastSent => Sent[Sent.Count - 1];

        public void Send(string text)
        {
            LastText = text;
            Sent.Add(JObject.Parse(text));
        }

        public void Close(int code)
        {
            ClosedWith = ClosedWith ?? code;
        }

        public void Abort()
        {
            IsAborted = true;
            IsGone = true;
        }

        internal void Opens(string subprotocol = "respark.v1")
        {
            listener.Opened(subprotocol);
        }

        internal void Receives(string text)
        {
            listener.Received(text);
        }

        internal void ReceivesBinary()
        {
            listener.ReceivedBinary();
        }

        internal void Closes(int code, string reason = "")
        {
            IsGone = true;
            listener.Closed(code, reason, null);
        }

        internal void Fails(string message)
        {
            IsGone = true;
            listener.Closed(1006, "", message);
        }

        /// <summary>Opens the socket and sends a welcome, in which the given members differ: `heartbeatMs=1000`.</summary>
        internal void Welcomes(params string[] members)
        {
            Opens();
            var welcome = JObject.Parse(Welcome);
            foreach (var member in members)
            {
                var parts = member.Split('=');
                welcome[parts[0]] = long.TryParse(parts[1], out var number) ? new JValue(number) : new JValue(parts[1]);
            }
            Receives(welcome.ToString());
        }

        internal string IdOf(string type)
        {
            return (string)Sent.Last(frame => (string)frame["type"] == type)["id"];
        }

        internal int Count(string kind)
        {
            return Sent.Count(frame => (string)frame["kind"] == kind);
        }
    }

    /// <summary>A client with a fake network and clock; `Told` lists what its handlers heard, in order.</summary>
    internal sealed class World
    {
        private readonly Ticker ticker;

        internal World(Action<ClientOptions> change = null, double wakeMs = 0)
        {
            ticker = new Ticker(wakeMs);
            var options = new ClientOptions
            {
                Url = "ws://test:1",
                GameKey = "key",
                Clock = ticker.Clock,
                Random = () => 0.5,
                OpenSocket = (url, subprotocol, loop, listener) =>
                {
                    Sockets.Add(new FakeSocket(url, listener));
                    return Newest;
                },
            };
            change?.Invoke(options);
            Client = new ResparkClient(options);
            ticker.Loop = Client.Loop;
            Client.StateChanged += state => Told.Add(state.ToString().ToLowerInvariant());
            Client.Welcomed += welcome => Told.Add($"welcome {welcome.PlayerId}");
            Client.Disconnected += end => Told.Add($"disconnect {end.Closure.CloseCode} {Shown(end.ReconnectInMs)}");
            Client.Failed += error => Told.Add($"error {error.Message}");
        }

        internal ResparkClient Client { get; }

        internal List<FakeSocket> Sockets { get; } = new List<FakeSocket>();

        internal List<string> Told { get; } = new List<string>();

        internal FakeSocket Newest => Sockets[Sockets.Count - 1];

        internal int Timers => ticker.Timers;

        /// <summary>The same client after its welcome, with `Told` still empty.</summary>
        internal static World Connected(Action<ClientOptions> change = null, double wakeMs = 0)
        {
            var world = new World(change, wakeMs);
            world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.Settle();
            world.Told.Clear();
            return world;
        }

        internal void Settle()
        {
            ticker.Settle();
        }

        internal void Advance(double byMs)
        {
            ticker.Advance(byMs);
        }

        internal void Sleep(double forMs)
        {
            ticker.Sleep(forMs);
        }

        /// <summary>Answers the latest request for a token.</summary>
        internal void AnswerToken(string token)
        {
            Newest.Receives(Text.Response(Newest.IdOf("GameSparks.Identity.GetPlayerToken"), "AuthenticationToken", token));
            Settle();
        }

        /// <summary>What a task of the client failed with; fails itself if it has not.</summary>
        internal T ErrorOf<T>(Task task)
            where T : Exception
        {
            Settle();
            Assert.IsTrue(task.IsFaulted, $"the task is {task.Status}");
            Assert.IsInstanceOf<T>(task.Exception.InnerException);
            return (T)task.Exception.InnerException;
        }

        internal T ResultOf<T>(Task<T> task)
        {
            Settle();
            Assert.AreEqual(TaskStatus.RanToCompletion, task.Status, task.Exception?.ToString());
            return task.Result;
        }

        private static string Shown(double? ms)
        {
            return ms == null ? "never" : ms.Value.ToString(CultureInfo.InvariantCulture);
        }
    }

    internal static class Text
    {
        internal static string Response(string id, string member = null, string value = null)
        {
            var payload = member == null ? new JObject() : new JObject { [member] = value };
            return new JObject { ["kind"] = "response", ["id"] = id, ["payload"] = payload }.ToString();
        }

        internal static string Notification(string type, JObject payload = null)
        {
            return new JObject { ["kind"] = "notification", ["type"] = type, ["payload"] = payload ?? new JObject() }.ToString();
        }

        internal const string Heartbeat = "{\"kind\":\"heartbeat\"}";

        /// <summary>The same text for the same JSON value: members in order of their names, numbers as doubles.</summary>
        internal static string Canonical(JToken value)
        {
            switch (value.Type)
            {
                case JTokenType.Object:
                    var members = ((JObject)value).Properties().OrderBy(member => member.Name, StringComparer.Ordinal);
                    return "{" + string.Join(",", members.Select(member => Quoted(member.Name) + ":" + Canonical(member.Value))) + "}";
                case JTokenType.Array:
                    return "[" + string.Join(",", value.Children().Select(Canonical)) + "]";
                case JTokenType.String:
                    return Quoted((string)value);
                case JTokenType.Integer:
                case JTokenType.Float:
                    return ((double)value).ToString("R", CultureInfo.InvariantCulture);
                default:
                    return value.ToString(Newtonsoft.Json.Formatting.None);
            }
        }

        private static string Quoted(string text)
        {
            return Newtonsoft.Json.JsonConvert.ToString(text);
        }
    }

    /// <summary>The folder `protocol` of the repository, if the variable RESPARK_PROTOCOL names it.</summary>
    internal static class Protocol
    {
        internal static string Folder { get; } = Environment.GetEnvironmentVariable("RESPARK_PROTOCOL");

        internal static JToken Read(string file)
        {
            if (Folder == null) return null;
            return Json.TryRead(File.ReadAllText(Path.Combine(Folder, file), Encoding.UTF8), 100);
        }
    }

    /// <summary>Numbers from 0 up to but not including 1, the same for the same seed (mulberry32).</summary>
    internal sealed class SeededRandom
    {
        private uint state;

        internal SeededRandom(uint seed)
        {
            state = seed;
        }

        internal double Next()
        {
            unchecked
            {
                state += 0x6d2b79f5;
                var mixed = (state ^ (state >> 15)) * (1 | state);
                mixed = (mixed + (mixed ^ (mixed >> 7)) * (61 | mixed)) ^ mixed;
                return (mixed ^ (mixed >> 14)) / 4294967296.0;
            }
        }

        internal int Below(int bound)
        {
            return (int)(Next() * bound);
        }
    }
}
