using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class SessionTests : ISessionObserver
    {
        private const string Hello = "{\"kind\":\"hello\",\"gameKey\":\"key\",\"token\":\"secret\"}";

        private Ticker ticker;
        private FakeSocket socket;
        private Session session;
        private List<string> told;
        private List<Closure> closures;
        private List<ResparkException> errors;
        private List<JObject> answers;

        [SetUp]
        public void SetUp()
        {
            ticker = new Ticker();
            told = new List<string>();
            closures = new List<Closure>();
            errors = new List<ResparkException>();
            answers = new List<JObject>();
            session = new Session(
                listener => socket = new FakeSocket("ws://test/connect", listener),
                new Frame(FrameKind.Hello) { GameKey = "key", Token = "secret" },
                10000,
                null,
                ticker.Loop,
                this);
        }

        void ISessionObserver.Welcomed(Welcome welcome)
        {
            told.Add($"welcomed {welcome.PlayerId}");
        }

        void ISessionObserver.Notified(string type, JObject payload)
        {
            told.Add($"notified {type}");
        }

        void ISessionObserver.Faulted(ResparkException error)
        {
            told.Add($"faulted {error.Code}");
        }

        void ISessionObserver.Ended(Closure closure, double lateMs)
        {
            told.Add($"ended {closure.CloseCode} {closure.Verdict.ToString().ToLowerInvariant()}");
            closures.Add(closure);
        }

        private void BeReady(params string[] limits)
        {
            socket.Welcomes(limits);
            socket.Sent.Clear();
            told.Clear();
        }

        private void Request(string type, JObject payload = null, double timeoutMs = 1000)
        {
            session.Request(type, payload ?? new JObject(), timeoutMs, answers.Add, errors.Add);
        }

        private void Event(string type = "T", JObject payload = null)
        {
            session.Event(type, payload ?? new JObject());
        }

        private T Error<T>(int at = 0)
            where T : ResparkException
        {
            ticker.Settle();
            Assert.Greater(errors.Count, at);
            Assert.IsInstanceOf<T>(errors[at]);
            return (T)errors[at];
        }

        private string[] SentTexts()
        {
            return socket.Sent.Select(frame => frame.ToString(Newtonsoft.Json.Formatting.None)).ToArray();
        }

        [Test]
        public void The_hello_is_sent_when_the_socket_opens_and_nothing_else()
        {
            Assert.IsEmpty(socket.Sent);
            socket.Opens();
            ticker.Advance(9999);
            Assert.AreEqual(new[] { Hello }, SentTexts());
        }

        [Test]
        public void Before_the_welcome_messages_are_refused()
        {
            socket.Opens();
            Request("T");
            Error<ConnectionClosedException>();
            Assert.Throws<ConnectionClosedException>(() => Event());
            Assert.AreEqual(new[] { Hello }, SentTexts());
        }

        [Test]
        public void A_socket_that_does_not_open_in_time_is_dropped()
        {
            ticker.Advance(10000);
            Assert.AreEqual(new[] { "ended 1006 reconnect" }, told);
            Assert.AreEqual("no welcome within 10000 ms", closures[0].Reason);
            Assert.IsTrue(socket.IsAborted);
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void A_welcome_that_does_not_come_in_time_ends_the_connection_whatever_other_frames_come()
        {
            socket.Opens();
            ticker.Advance(9000);
            socket.Receives(Text.Heartbeat);
            ticker.Advance(1000);
            Assert.AreEqual(new[] { "faulted bad_frame", "ended 1006 reconnect" }, told);
            socket.Receives(FakeSocket.Welcome);
            Assert.AreEqual(2, told.Count);
        }

        [Test]
        public void A_close_says_why_with_the_hints_in_its_reason()
        {
            socket.Opens();
            socket.Closes(4000, "the node is draining; retryAfterMs=1500; requestId=r-1");
            Assert.AreEqual(new[] { "ended 4000 reconnect" }, told);
            var closure = closures[0];
            Assert.AreEqual(4000, closure.CloseCode);
            Assert.AreEqual("draining", closure.Name);
            Assert.AreEqual("the node is draining", closure.Reason);
            Assert.AreEqual(Verdict.Reconnect, closure.Verdict);
            Assert.AreEqual(1500, closure.RetryAfterMs);
            Assert.AreEqual("r-1", closure.RequestId);
            Assert.IsNull(closure.Until);
            Assert.IsNull(closure.Farewell);
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void A_socket_that_fails_passes_on_what_it_says_about_the_failure()
        {
            socket.Fails("connect ECONNREFUSED 127.0.0.1:9");
            Assert.AreEqual("connect ECONNREFUSED 127.0.0.1:9", closures[0].Reason);
            Assert.AreEqual(1006, closures[0].CloseCode);
        }

        [Test]
        public void The_client_gives_up_for_good_on_a_server_that_does_not_echo_the_subprotocol()
        {
            socket.Opens("");
            Assert.AreEqual(new[] { "ended 4504 stop" }, told);
            Assert.AreEqual(4504, socket.ClosedWith);
            Assert.IsEmpty(socket.Sent);
        }

        [Test]
        public void Heartbeats_are_sent_each_period_whatever_else_is_sent()
        {
            BeReady();
            for (var period = 1; period <= 5; period += 1)
            {
                ticker.Advance(10000);
                Event();
                ticker.Advance(10000);
                socket.Receives(Text.Heartbeat);
                Assert.AreEqual(period, socket.Count("heartbeat"));
            }
        }

        [Test]
        public void Heartbeats_that_stay_unanswered_for_two_periods_end_the_connection_not_a_millisecond_earlier()
        {
            BeReady();
            ticker.Advance(20001);
            socket.Receives(Text.Notification("N"));
            ticker.Advance(39999);
            Assert.AreEqual(new[] { "notified N" }, told);
            ticker.Advance(1);
            Assert.AreEqual(new[] { "notified N", "ended 1006 reconnect" }, told);
            Assert.AreEqual("nothing received for 40000 ms", closures[0].Reason);
            Assert.IsTrue(socket.IsAborted);
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void Requests_get_the_answer_with_their_id_in_any_order()
        {
            BeReady();
            var timers = ticker.Timers;
            Request("A", new JObject { ["x"] = 1 });
            Request("B");
            Assert.AreEqual(
                new[]
                {
                    "{\"kind\":\"request\",\"id\":\"1\",\"type\":\"A\",\"payload\":{\"x\":1}}",
                    "{\"kind\":\"request\",\"id\":\"2\",\"type\":\"B\",\"payload\":{}}",
                },
                SentTexts());
            socket.Receives("{\"kind\":\"error\",\"id\":\"2\",\"code\":\"no_handler\",\"message\":\"no handler for \\\"B\\\"\"}");
            socket.Receives(Text.Response("1", "y", "2"));
            var error = Error<RequestException>();
            Assert.AreEqual("2", (string)answers.Single()["y"]);
            Assert.AreEqual(timers, ticker.Timers);
            Assert.AreEqual("no_handler", error.Code);
            Assert.AreEqual("no handler for \"B\"", error.Message);
        }

        [Test]
        public void Requests_that_get_no_answer_time_out_and_a_late_answer_is_ignored()
        {
            BeReady();
            Request("A");
            ticker.Advance(1000);
            var error = Error<RequestTimeoutException>();
            Assert.AreEqual("timeout", error.Code);
            Assert.AreEqual("no answer to \"A\" within 1000 ms; it may have taken effect", error.Message);
            socket.Receives(Text.Response("1"));
            socket.Receives("{\"kind\":\"error\",\"id\":\"never asked\",\"code\":\"internal\",\"message\":\"m\"}");
            ticker.Settle();
            Assert.IsEmpty(told);
            Assert.IsEmpty(answers);
            Assert.AreEqual(1, errors.Count);
        }

        [Test]
        public void Requests_in_flight_fail_when_the_connection_ends_with_the_reason()
        {
            BeReady();
            Request("A");
            socket.Closes(4500, "by the operator");
            var error = Error<ConnectionClosedException>();
            Assert.AreEqual("disconnected", error.Code);
            Assert.AreEqual(4500, error.Closure.CloseCode);
            Assert.AreEqual("by the operator", error.Closure.Reason);
            Assert.AreEqual(Verdict.Stop, error.Closure.Verdict);
            Assert.AreEqual("connection closed: by the operator (4500)", error.Message);
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void Requests_beyond_the_servers_limit_of_those_in_flight_are_refused_until_one_is_answered()
        {
            BeReady("maxRequestsInFlight=8");
            for (var request = 0; request < 9; request += 1) Request("A");
            Assert.AreEqual("busy", Error<RequestException>().Code);
            Assert.AreEqual(8, socket.Sent.Count);
            socket.Receives(Text.Response("7"));
            Request("A");
            socket.Receives(Text.Response("9"));
            ticker.Settle();
            Assert.AreEqual(2, answers.Count);
            errors.Clear();
            socket.Closes(1006);
            ticker.Settle();
            Assert.AreEqual(7, errors.Count);
        }

        /// <summary>Events until one is refused.</summary>
        private int Flood()
        {
            for (var sent = 0; ; sent += 1)
            {
                try
                {
                    Event();
                }
                catch (RequestException error)
                {
                    Assert.AreEqual("busy", error.Code);
                    Assert.AreEqual("too many messages at once; send at most 10 a second", error.Message);
                    return sent;
                }
            }
        }

        [Test]
        public void The_rate_of_messages_is_limited_to_a_burst_less_the_hello_and_a_reserved_quarter_and_then_to_the_refill()
        {
            BeReady("messagesPerSecond=10", "messagesBurst=21", "heartbeatMs=1000");
            Assert.AreEqual(15, Flood());
            Request("T");
            Assert.AreEqual("busy", Error<RequestException>().Code);
            ticker.Advance(99);
            Assert.AreEqual(0, Flood());
            ticker.Advance(1);
            Assert.AreEqual(1, Flood());
            ticker.Advance(500);
            Assert.AreEqual(5, Flood());
            Assert.AreEqual(21, socket.Sent.Count);
        }

        [Test]
        public void The_rate_of_messages_leaves_room_for_heartbeats_which_count_too()
        {
            BeReady("messagesPerSecond=10", "messagesBurst=21", "heartbeatMs=1000");
            Flood();
            ticker.Advance(1000);
            Assert.AreEqual("heartbeat", (string)socket.LastSent["kind"]);
            Assert.AreEqual(9, Flood());
        }

        [Test]
        public void The_rate_of_messages_is_limited_in_bytes_too_of_which_a_quarter_is_reserved()
        {
            BeReady("bytesPerSecond=1000", "bytesBurst=4000");
            Action<int> send = bytes =>
            {
                var padding = bytes - "{\"kind\":\"event\",\"type\":\"T\",\"payload\":{\"s\":\"\"}}".Length;
                Event("T", new JObject { ["s"] = new string('x', padding) });
            };
            // The hello was the first of them.
            send(2900);
            var error = Assert.Throws<RequestException>(() => send(100));
            Assert.AreEqual("too many bytes at once; send at most 1000 a second", error.Message);
            ticker.Advance(1000);
            send(1000);
            Assert.AreEqual("busy", Assert.Throws<RequestException>(() => send(100)).Code);
        }

        [Test]
        public void The_rate_of_messages_lets_one_through_even_where_the_burst_is_one_frame()
        {
            BeReady("messagesPerSecond=10", "messagesBurst=1", "heartbeatMs=1000");
            Assert.AreEqual(0, Flood());
            ticker.Advance(100);
            Assert.AreEqual(1, Flood());
        }

        private static IEnumerable<TestCaseData> WhatTheServerWouldCloseFor()
        {
            yield return new TestCaseData("", new JObject(), "type must be a well-formed string of 1-128 characters, got \"\"")
                .SetName("an empty type is refused before it is sent");
            yield return new TestCaseData(new string('T', 129), new JObject(), "type must be ")
                .SetName("a type of 129 characters is refused before it is sent");
            yield return new TestCaseData("T", new JObject { ["n"] = double.NaN }, "a frame must be JSON")
                .SetName("a payload that JSON cannot hold is refused before it is sent");
            yield return new TestCaseData("T", Nested(33), "payload must nest at most 32 levels")
                .SetName("a payload of 33 levels is refused before it is sent");
            yield return new TestCaseData("T", new JObject { ["s"] = new string('é', 33000) }, "a frame must have at most 65536 bytes, got 660")
                .SetName("a frame beyond maxFrameBytes is refused before it is sent");
        }

        private static JObject Nested(int levels)
        {
            var payload = new JObject();
            for (var level = 1; level < levels; level += 1) payload = new JObject { ["a"] = payload };
            return payload;
        }

        [TestCaseSource("WhatTheServerWouldCloseFor")]
        public void Refused(string type, JObject payload, string message)
        {
            BeReady();
            var timers = ticker.Timers;
            var thrown = Assert.Throws<RequestException>(() => Event(type, payload));
            Request(type, payload);
            foreach (var error in new[] { thrown, Error<RequestException>() })
            {
                Assert.AreEqual("bad_request", error.Code);
                Assert.IsTrue(error.Message.StartsWith(message, StringComparison.Ordinal), error.Message);
            }
            Assert.IsEmpty(socket.Sent);
            Assert.AreEqual(timers, ticker.Timers);
        }

        [Test]
        public void A_message_that_would_wait_behind_a_mebibyte_of_others_is_refused_before_it_is_sent()
        {
            BeReady();
            socket.BufferedBytes = Session.MaxBufferedBytes;
            Assert.AreEqual("busy", Assert.Throws<RequestException>(() => Event()).Code);
            Assert.IsEmpty(socket.Sent);
            socket.BufferedBytes = 0;
            Event();
            Assert.AreEqual(1, socket.Sent.Count);
        }

        private static IEnumerable<TestCaseData> FramesToClients()
        {
            var vectors = Protocol.Read("vectors/frames.json") ?? new JArray();
            return vectors.Where(vector => (string)vector["direction"] == "to-client")
                .Select(vector => new TestCaseData(vector).SetName($"golden: {vector["name"]}"));
        }

        [TestCaseSource("FramesToClients")]
        public void Golden(JToken vector)
        {
            var frame = vector["frame"];
            var kind = frame == null ? "" : (string)frame["kind"];
            socket.Opens();
            if (kind != "welcome") socket.Receives(FakeSocket.Welcome);
            told.Clear();
            socket.Receives((string)vector["text"]);
            var expected = new List<string>();
            if (frame == null) expected.Add("faulted bad_frame");
            else if (kind == "welcome") expected.Add($"welcomed {frame["playerId"]}");
            else if (kind == "notification") expected.Add($"notified {frame["type"]}");
            else if (kind == "error" && frame["id"] == null) expected.Add($"faulted {frame["code"]}");
            Assert.AreEqual(expected, told);
        }

        [Test]
        public void Frames_that_are_binary_or_a_second_welcome_are_reported_and_do_not_end_the_connection()
        {
            BeReady();
            socket.ReceivesBinary();
            socket.Receives(FakeSocket.Welcome);
            Assert.AreEqual(new[] { "faulted bad_frame", "faulted bad_frame" }, told);
            Event();
            Assert.AreEqual(1, socket.Sent.Count);
        }

        [Test]
        public void Close_sends_a_close_frame_fails_requests_in_flight_ignores_input_and_waits_for_the_server()
        {
            BeReady();
            Request("A", timeoutMs: 5000);
            var closed = session.Close();
            Assert.AreEqual("normal", Error<ConnectionClosedException>().Code);
            Assert.AreEqual(1000, socket.ClosedWith);
            socket.Receives(Text.Notification("N"));
            ticker.Settle();
            Assert.IsFalse(closed.IsCompleted);
            socket.Closes(1000);
            Assert.AreEqual(TaskStatus.RanToCompletion, closed.Status);
            Assert.AreEqual(new[] { "ended 1000 stop" }, told);
            Assert.AreEqual(0, ticker.Timers);
            Assert.IsFalse(socket.IsAborted);
        }

        [Test]
        public void Close_gives_the_server_a_second()
        {
            BeReady();
            var closed = session.Close();
            ticker.Advance(1000);
            Assert.AreEqual(TaskStatus.RanToCompletion, closed.Status);
            Assert.IsTrue(socket.IsAborted);
            Assert.AreEqual(new[] { "ended 1000 stop" }, told);
            socket.Closes(1006);
            Assert.AreEqual(1, told.Count);
        }

        [Test]
        public void Close_before_the_welcome_leaves_no_timer_either()
        {
            var closed = session.Close();
            socket.Opens();
            socket.Closes(1006);
            Assert.AreEqual(TaskStatus.RanToCompletion, closed.Status);
            Assert.IsEmpty(socket.Sent);
            Assert.AreEqual(0, ticker.Timers);
        }
    }
}
