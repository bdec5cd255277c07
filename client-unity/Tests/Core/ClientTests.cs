using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class ClientTests
    {
        [Test]
        public void Connect_is_done_at_the_welcome_with_the_player_and_the_connection()
        {
            var world = new World();
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            Assert.AreEqual("{\"gameKey\":\"key\",\"kind\":\"hello\"}", Text.Canonical(world.Newest.Sent.Single()));
            world.Newest.Receives(FakeSocket.Welcome);
            var welcome = world.ResultOf(connected);
            Assert.AreEqual("player-1", welcome.PlayerId);
            Assert.AreEqual("connection-1", welcome.ConnectionId);
            Assert.AreEqual(20000, welcome.HeartbeatMs);
            Assert.AreEqual(new[] { "connecting", "connected", "welcome player-1" }, world.Told);
            Assert.AreEqual("player-1", world.Client.PlayerId);
            Assert.AreEqual("connection-1", world.Client.ConnectionId);
            Assert.AreEqual(ClientState.Connected, world.Client.State);
        }

        [Test]
        public void Connect_called_again_waits_for_the_same_attempt_or_is_done_at_once_when_connected()
        {
            var world = new World();
            var first = world.Client.Connect();
            var second = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            Assert.AreSame(world.ResultOf(first), world.ResultOf(second));
            Assert.AreEqual("connection-1", world.ResultOf(world.Client.Connect()).ConnectionId);
            Assert.AreEqual(1, world.Sockets.Count);
        }

        [Test]
        public void Connect_waits_through_failed_attempts()
        {
            var world = new World();
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Fails("refused");
            world.Advance(250);
            world.Newest.Closes(4004, "full; retryAfterMs=3000");
            world.Advance(3500);
            world.Newest.Welcomes();
            world.ResultOf(connected);
            var expected = new[]
            {
                "connecting", "waiting", "disconnect 1006 250", "connecting", "waiting", "disconnect 4004 3500", "connecting",
                "connected", "welcome player-1",
            };
            Assert.AreEqual(expected, world.Told);
        }

        [Test]
        public void Connect_fails_at_the_verdict_to_stop_and_may_be_called_again()
        {
            var world = new World();
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            world.Newest.Closes(4502, "no stage has this game key");
            var error = world.ErrorOf<ConnectionClosedException>(connected);
            Assert.AreEqual("unknown_game_key", error.Code);
            Assert.AreEqual(4502, error.Closure.CloseCode);
            Assert.AreEqual("no stage has this game key", error.Closure.Reason);
            Assert.AreEqual(Verdict.Stop, error.Closure.Verdict);
            Assert.AreEqual(new[] { "connecting", "closed", "disconnect 4502 never" }, world.Told);
            Assert.AreEqual(0, world.Timers);
            var again = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.ResultOf(again);
            Assert.AreEqual(2, world.Sockets.Count);
        }

        [Test]
        public void Connect_fails_when_the_attempts_are_exhausted()
        {
            var world = new World(options => options.Reconnect.MaxRetries = 2);
            var connected = world.Client.Connect();
            for (var attempt = 0; attempt < 3; attempt += 1)
            {
                world.Settle();
                world.Newest.Closes(1006);
                world.Advance(30000);
            }
            Assert.AreEqual("abnormal", world.ErrorOf<ConnectionClosedException>(connected).Code);
            Assert.AreEqual(3, world.Sockets.Count);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            world.Client.Connect();
            world.Settle();
            world.Newest.Closes(1006);
            Assert.AreEqual(ClientState.Waiting, world.Client.State, "asked again, it tries as often again");
        }

        [Test]
        public void Connect_fails_when_the_socket_cannot_even_be_created()
        {
            var world = new World(options => options.OpenSocket = (url, subprotocol, loop, listener) =>
            {
                throw new InvalidOperationException("mixed content");
            });
            var error = world.ErrorOf<ResparkException>(world.Client.Connect());
            Assert.AreEqual("no_socket", error.Code);
            Assert.AreEqual(new[] { "connecting", "closed", "error no socket could be made: mixed content" }, world.Told);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void Connect_fails_at_Close()
        {
            var world = new World();
            var connected = world.Client.Connect();
            world.Client.Close();
            var error = world.ErrorOf<ConnectionClosedException>(connected);
            Assert.AreEqual("normal", error.Code);
            Assert.AreEqual(Verdict.Stop, error.Closure.Verdict);
            Assert.AreEqual(0, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
        }

        [Test]
        public void A_lost_connection_comes_back_after_the_back_off()
        {
            var world = World.Connected();
            world.Newest.Closes(4000, "draining; retryAfterMs=2000");
            Assert.AreEqual(new[] { "waiting", "disconnect 4000 2250" }, world.Told);
            Assert.IsNull(world.Client.ConnectionId);
            Assert.AreEqual("player-1", world.Client.PlayerId);
            world.Advance(2249);
            Assert.AreEqual(1, world.Sockets.Count);
            world.Advance(1);
            world.Newest.Welcomes("connectionId=connection-2");
            Assert.AreEqual("connection-2", world.Client.ConnectionId);
        }

        [Test]
        public void A_lost_connection_restarts_the_back_off_only_if_it_lasted()
        {
            var world = World.Connected();
            Func<double, string> waits = upMs =>
            {
                world.Newest.Welcomes();
                world.Advance(upMs);
                world.Told.Clear();
                world.Newest.Closes(1006);
                world.Advance(1000);
                return world.Told[1];
            };
            world.Newest.Closes(1006);
            world.Advance(1000);
            Assert.AreEqual("disconnect 1006 500", waits(0));
            Assert.AreEqual("disconnect 1006 1000", waits(9999));
            Assert.AreEqual("disconnect 1006 250", waits(10000));
        }

        [TestCase(1000)]
        [TestCase(1002)]
        [TestCase(1008)]
        [TestCase(4500)]
        [TestCase(4503)]
        [TestCase(4506)]
        [TestCase(4599)]
        public void A_lost_connection_stays_lost_after(int code)
        {
            var world = World.Connected();
            world.Newest.Closes(code, "why");
            world.Advance(3600000);
            Assert.AreEqual(new[] { "closed", $"disconnect {code} never" }, world.Told);
            Assert.AreEqual(1, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void A_lost_connection_refuses_messages_at_once_with_the_reason_why_it_was_lost()
        {
            var world = World.Connected();
            world.Newest.Closes(4001, "too slow");
            Assert.AreEqual("slow_consumer", world.ErrorOf<ConnectionClosedException>(world.Client.Request("T")).Code);
            Assert.AreEqual("slow_consumer", Assert.Throws<ConnectionClosedException>(() => world.Client.Event("T")).Code);
        }

        [Test]
        public void Messages_before_the_first_connection_are_refused()
        {
            var world = new World();
            var error = world.ErrorOf<ConnectionClosedException>(world.Client.Request("T"));
            Assert.AreEqual("not connected", error.Closure.Reason);
            Assert.Throws<ConnectionClosedException>(() => world.Client.Event("T"));
        }

        [Test]
        public void Requests_events_and_notifications_go_through()
        {
            var world = World.Connected(options => options.RequestTimeout = TimeSpan.FromMilliseconds(700));
            var notifications = new List<Notification>();
            world.Client.Notified += notifications.Add;
            var answer = world.Client.Request("Add", new JObject { ["x"] = 1 });
            world.Newest.Receives(Text.Response(world.Newest.IdOf("Add"), "sum", "1"));
            Assert.AreEqual("1", (string)world.ResultOf(answer)["sum"]);
            world.Client.Event("Shout", new JObject { ["text"] = "hey" });
            Assert.AreEqual("{\"kind\":\"event\",\"payload\":{\"text\":\"hey\"},\"type\":\"Shout\"}", Text.Canonical(world.Newest.LastSent));
            world.Newest.Receives(Text.Notification("Heard", new JObject { ["by"] = 2 }));
            Assert.AreEqual("Heard", notifications.Single().Type);
            Assert.AreEqual(2, (int)notifications.Single().Payload["by"]);
            var byDefault = world.Client.Request("Slow");
            var byOption = world.Client.Request("Slow", null, TimeSpan.FromMilliseconds(5));
            world.Advance(700);
            StringAssert.Contains(" 700 ms", world.ErrorOf<RequestTimeoutException>(byDefault).Message);
            StringAssert.Contains(" 5 ms", world.ErrorOf<RequestTimeoutException>(byOption).Message);
        }

        [Test]
        public void Close_sends_a_close_frame_reports_the_end_once_and_leaves_no_timer()
        {
            var world = World.Connected();
            var inFlight = world.Client.Request("T");
            var closed = world.Client.Close();
            Assert.AreEqual(new[] { "closed", "disconnect 1000 never" }, world.Told);
            world.Newest.Closes(1000);
            Assert.IsTrue(closed.IsCompleted);
            Assert.IsTrue(world.Client.Close().IsCompleted);
            var error = world.ErrorOf<ConnectionClosedException>(inFlight);
            Assert.AreEqual("normal", error.Code);
            Assert.AreEqual("closed by this client", error.Closure.Reason);
            Assert.AreEqual(1000, world.Newest.ClosedWith);
            Assert.AreEqual(0, world.Timers);
            Assert.AreEqual(2, world.Told.Count);
        }

        [Test]
        public void Close_while_waiting_ends_the_wait()
        {
            var world = World.Connected();
            world.Newest.Closes(1006);
            Assert.IsTrue(world.Client.Close().IsCompleted);
            world.Advance(3600000);
            Assert.AreEqual(1, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
        }

        [Test]
        public void Close_of_a_closed_client_does_nothing()
        {
            var world = new World();
            Assert.IsTrue(world.Client.Close().IsCompleted);
            Assert.IsEmpty(world.Told);
        }

        [Test]
        public void Close_from_a_handler_of_the_welcome_leaves_nothing_behind()
        {
            var world = new World();
            world.Client.StateChanged += state =>
            {
                if (state == ClientState.Connected) world.Client.Close();
            };
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.ResultOf(connected);
            world.Newest.Closes(1000);
            world.Advance(3600000);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void Close_followed_at_once_by_Connect_opens_a_new_connection_and_ignores_the_old_one()
        {
            var world = World.Connected();
            var closed = world.Client.Close();
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes("connectionId=connection-2");
            world.ResultOf(connected);
            world.Told.Clear();
            world.Sockets[0].Closes(4500, "too late to matter");
            Assert.IsTrue(closed.IsCompleted);
            Assert.IsEmpty(world.Told);
            Assert.AreEqual("connection-2", world.Client.ConnectionId);
        }

        [Test]
        public void What_the_server_says_before_it_closes_is_a_notification_and_comes_again_with_the_disconnect_and_the_errors()
        {
            var world = World.Connected(options => options.Locale = "de-AT");
            var heard = new List<Farewell>();
            world.Client.Notified += notification => world.Told.Add(notification.Type);
            world.Client.Disconnected += end => heard.Add(end.Closure.Farewell);
            var request = world.Client.Request("Custom.Game.Ask");
            var payload = JObject.Parse("{\"reason\":\"CHEATING\",\"messages\":{\"en\":\"Bye\",\"de\":\"Tschau\"},\"until\":1000,\"requestId\":\"r-1\"}");
            world.Newest.Receives(Text.Notification("Respark.Farewell", payload));
            world.Newest.Closes(4500, "out; requestId=r-1");
            Assert.AreEqual(new[] { "Respark.Farewell", "closed", "disconnect 4500 never" }, world.Told);
            var farewell = heard.Single();
            Assert.AreEqual("CHEATING", farewell.Reason);
            Assert.AreEqual("Tschau", farewell.Message);
            Assert.AreEqual(1000, farewell.Until.Value.ToUnixTimeMilliseconds());
            Assert.AreEqual("r-1", farewell.RequestId);
            Assert.AreSame(farewell, world.ErrorOf<ConnectionClosedException>(request).Closure.Farewell);

            world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.Newest.Closes(4500, "out");
            Assert.IsNull(heard.Last());
        }

        [Test]
        public void A_handler_that_throws_does_not_keep_the_others_from_being_called_and_its_error_is_not_swallowed()
        {
            var world = World.Connected();
            world.Client.Notified += _ => { throw new InvalidOperationException("a bug of the application"); };
            var heard = 0;
            world.Client.Notified += _ => heard += 1;
            world.Newest.Receives(Text.Notification("N"));
            Assert.AreEqual(1, heard);
            Assert.AreEqual("a bug of the application", Assert.Throws<InvalidOperationException>(() => world.Client.Update()).Message);
            Assert.DoesNotThrow(() => world.Client.Update());
        }

        [Test]
        public void Adding_or_removing_a_handler_during_an_event_takes_effect_from_the_next_event_on()
        {
            var world = World.Connected();
            var heard = new List<string>();
            Action<Notification> first = null;
            first = _ =>
            {
                world.Client.Notified -= first;
                heard.Add("first");
                world.Client.Notified += other => heard.Add("second");
            };
            world.Client.Notified += first;
            world.Newest.Receives(Text.Notification("N"));
            Assert.AreEqual(new[] { "first" }, heard);
            world.Newest.Receives(Text.Notification("N"));
            Assert.AreEqual(new[] { "first", "second" }, heard);
        }
    }

    [TestFixture]
    public sealed class VerdictTests
    {
        private static IEnumerable<TestCaseData> Codes()
        {
            // The table may get rows that this client does not know yet; a code then has the verdict of its range.
            foreach (var code in CloseCodes.All.Keys.Concat(new[] { 3000, 4099, 4499, 4505, 4999 }))
            {
                yield return new TestCaseData(code, CloseCodes.VerdictOf(code));
            }
        }

        [TestCaseSource("Codes")]
        public void A_refused_client_does_what_the_verdict_says(int code, Verdict verdict)
        {
            var world = new World();
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            world.Newest.Closes(code, "why; retryAfterMs=90000");
            world.Advance(89999);
            Assert.AreEqual(1, world.Sockets.Count);
            if (verdict == Verdict.Reconnect)
            {
                Assert.AreEqual(ClientState.Waiting, world.Client.State);
                Assert.IsFalse(connected.IsCompleted);
                world.Advance(251);
                world.Newest.Welcomes();
                world.ResultOf(connected);
                Assert.AreEqual(2, world.Sockets.Count);
                Assert.AreEqual(ClientState.Connected, world.Client.State);
                return;
            }
            world.Advance(3600000);
            Assert.AreEqual(Verdict.Stop, world.ErrorOf<ConnectionClosedException>(connected).Closure.Verdict);
            Assert.AreEqual(1, world.Sockets.Count);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            Assert.AreEqual(0, world.Timers);
        }

        [TestCaseSource("Codes")]
        public void A_connected_client_does_the_same_and_says_so(int code, Verdict verdict)
        {
            var world = World.Connected();
            world.Newest.Closes(code, "why; retryAfterMs=90000");
            var isBack = verdict == Verdict.Reconnect;
            var expected = new[] { isBack ? "waiting" : "closed", $"disconnect {code} {(isBack ? "90250" : "never")}" };
            Assert.AreEqual(expected, world.Told);
            world.Advance(89999);
            Assert.AreEqual(1, world.Sockets.Count);
            world.Advance(251);
            Assert.AreEqual(isBack ? 2 : 1, world.Sockets.Count);
        }

        [TestCaseSource("Codes")]
        public void Neither_Connect_nor_a_hint_without_end_changes_how_long_the_server_may_make_it_wait(int code, Verdict verdict)
        {
            if (verdict == Verdict.Stop) return;
            var world = World.Connected();
            world.Newest.Closes(code, $"why; retryAfterMs={new string('9', 15)}");
            world.Client.Connect();
            world.Advance(CloseReason.MaxRetryAfterMs - 1);
            Assert.AreEqual(1, world.Sockets.Count);
            world.Advance(1000);
            Assert.Greater(world.Sockets.Count, 1);
        }
    }

    [TestFixture]
    public sealed class HistoryTests
    {
        /// <summary>One step of the world around a client.</summary>
        private static void Take(World world, string kind, int detail)
        {
            var socket = world.Sockets.Count > 0 && !world.Newest.IsGone ? world.Newest : null;
            switch (kind)
            {
                case "connect": world.Client.Connect(); break;
                case "hurry": world.Client.Hurry(); break;
                case "close": world.Client.Close(); break;
                case "request": world.Client.Request("T"); break;
                case "advance": world.Advance(detail % 60000); break;
                case "open": socket?.Opens(); break;
                case "welcome": socket?.Welcomes(); break;
                case "frame": socket?.Receives(Text.Heartbeat); break;
                case "garbage": socket?.Receives("{"); break;
                case "reconnect": socket?.Closes(new[] { 1006, 1012, 4000, 4004 }[detail % 4], "r; retryAfterMs=5"); break;
                default: socket?.Closes(new[] { 1000, 1002, 4500, 4507 }[detail % 4]); break;
            }
            world.Settle();
        }

        [Test]
        public void Whatever_happens_at_most_one_connection_is_open_a_client_that_stopped_stays_stopped_and_Close_leaves_nothing()
        {
            var kinds = "connect hurry close request advance open welcome frame garbage reconnect stop".Split(' ');
            for (uint seed = 0; seed < 600; seed += 1)
            {
                var random = new SeededRandom(seed);
                var world = new World(options => options.Random = random.Next);
                var history = $"seed {seed}:";
                for (var steps = random.Below(40); steps > 0; steps -= 1)
                {
                    var kind = kinds[random.Below(kinds.Length)];
                    var detail = random.Below(1000000);
                    history += $" {kind} {detail}";
                    var made = world.Sockets.Count;
                    var before = world.Client.State;
                    Take(world, kind, detail);
                    var isOpen = world.Sockets.Count(socket => !socket.IsGone && socket.ClosedWith == null);
                    Assert.LessOrEqual(isOpen, 1, history);
                    var state = world.Client.State;
                    Assert.AreEqual(isOpen == 1, state == ClientState.Connected || state == ClientState.Connecting, history);
                    if (before == ClientState.Closed && kind != "connect") Assert.AreEqual(made, world.Sockets.Count, history);
                    var closing = world.Sockets.Count(socket => !socket.IsGone && socket.ClosedWith != null);
                    if (state == ClientState.Waiting) Assert.AreEqual(1 + closing, world.Timers, $"back-off, goodbyes: {history}");
                }
                var closed = world.Client.Close();
                world.Advance(1000);
                Assert.IsTrue(closed.IsCompleted, history);
                Assert.AreEqual(0, world.Timers, history);
                Assert.IsTrue(world.Sockets.Count == 0 || world.Newest.IsGone || world.Newest.ClosedWith != null, history);
            }
        }
    }
}
