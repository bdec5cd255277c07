using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Linq;
using System.Threading;
using Amazon.GameSparks.Unity.DotNet;
using Amazon.GameSparks.Unity.EngineIntegration;
using Newtonsoft.Json;
using NUnit.Framework;

namespace Respark.Tests
{
    /// <summary>The surface that generated code is written against.</summary>
    [TestFixture]
    public sealed class ConnectionTests
    {
        private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

        private World world;
        private Connection connection;
        private List<string> told;

        private sealed class Question
        {
            [JsonProperty]
            public string Text { get; }

            [JsonProperty(NullValueHandling = NullValueHandling.Ignore)]
            public int? Level { get; }

            public Question(string Text, int? Level = null)
            {
                this.Text = Text;
                this.Level = Level;
            }
        }

        private sealed class Answer
        {
            [JsonProperty]
            public int Sum { get; }

            [JsonProperty]
            public DateTimeOffset At { get; }

            [JsonProperty]
            public string LooksLikeADate { get; }

            public Answer(int Sum, DateTimeOffset At, string LooksLikeADate)
            {
                this.Sum = Sum;
                this.At = At;
                this.LooksLikeADate = LooksLikeADate;
            }
        }

        private enum Weather
        {
            Sunny,
            Stormy,
        }

        private sealed class Forecast
        {
            [JsonProperty]
            public Weather Next { get; }

            public Forecast(Weather Next)
            {
                this.Next = Next;
            }
        }

        private sealed class Scores
        {
            [JsonProperty]
            public Dictionary<string, int> By { get; }

            public Scores(Dictionary<string, int> By)
            {
                this.By = By;
            }
        }

        private sealed class Race
        {
            [JsonProperty]
            public DateTimeOffset At { get; }

            [JsonProperty]
            public decimal Fee { get; }

            [JsonProperty]
            public IReadOnlyList<long> Laps { get; }

            [JsonProperty]
            public IReadOnlyDictionary<string, decimal> Odds { get; }

            public Race(DateTimeOffset At, decimal Fee, IReadOnlyList<long> Laps, IReadOnlyDictionary<string, decimal> Odds)
            {
                this.At = At;
                this.Fee = Fee;
                this.Laps = Laps;
                this.Odds = Odds;
            }
        }

        private sealed class Endless
        {
            [JsonProperty]
            public Endless Self => this;
        }

        private void Begin(bool isConnected)
        {
            world = isConnected ? World.Connected() : new World();
            connection = new Connection(world.Client);
            told = new List<string>();
        }

        private void Send(string text = "hi", TimeSpan? timeout = null)
        {
            connection.SendRequest<Question, Answer>(
                new Message<Question>("Custom.Game.Ask", new Question(text)),
                timeout ?? Timeout,
                response => told.Add($"answer {response.Type} {response.Payload.Sum} {response.Payload.At:O} {response.Payload.LooksLikeADate}"),
                error => told.Add($"error {error.Payload}"),
                () => told.Add("timeout"));
        }

        private void Respond(string payload)
        {
            var id = world.Newest.IdOf("Custom.Game.Ask");
            world.Newest.Receives($"{{\"kind\":\"response\",\"id\":\"{id}\",\"payload\":{payload}}}");
            world.Settle();
        }

        [Test]
        public void A_request_gets_its_response_as_the_generated_class()
        {
            Begin(isConnected: true);
            Send();
            Assert.AreEqual("{\"Text\":\"hi\"}", Text.Canonical(world.Newest.LastSent["payload"]));
            Respond("{\"Sum\":3,\"At\":\"2024-01-02T03:04:05.006Z\",\"LooksLikeADate\":\"2024-01-02T03:04:05Z\"}");
            Assert.AreEqual(
                new[] { "answer Custom.Game.Ask 3 2024-01-02T03:04:05.0060000+00:00 2024-01-02T03:04:05Z" },
                told);
        }

        [Test]
        public void Enums_go_by_their_names_whether_or_not_their_class_says_so()
        {
            Begin(isConnected: true);
            connection.SendRequest<Forecast, Forecast>(
                new Message<Forecast>("Custom.Game.Ask", new Forecast(Weather.Stormy)),
                Timeout,
                response => told.Add($"answer {response.Payload.Next}"),
                error => told.Add($"error {error.Payload}"),
                () => told.Add("timeout"));
            Assert.AreEqual("{\"Next\":\"Stormy\"}", Text.Canonical(world.Newest.LastSent["payload"]));
            Respond("{\"Next\":\"Sunny\"}");
            Assert.AreEqual(new[] { "answer Sunny" }, told);
        }

        [Test]
        public void Maps_are_read_whatever_their_keys_are()
        {
            Begin(isConnected: true);
            var maps = new List<Dictionary<string, int>>();
            connection.SubscribeToNotification<Scores>("Custom.Game.Scores", scores => maps.Add(scores.Payload.By));
            var payload = "{\"By\":{\"$id\":1,\"$ref\":2,\"$type\":3,\"$value\":4}}";
            world.Newest.Receives(Text.Notification("Custom.Game.Scores", Newtonsoft.Json.Linq.JObject.Parse(payload)));
            world.Settle();
            CollectionAssert.AreEqual(new[] { "$id", "$ref", "$type", "$value" }, maps.Single().Keys);
            CollectionAssert.AreEqual(new[] { 1, 2, 3, 4 }, maps.Single().Values);
        }

        [TestCase(typeof(object))]
        [TestCase(typeof(int))]
        [TestCase(typeof(long))]
        [TestCase(typeof(bool))]
        [TestCase(typeof(decimal))]
        [TestCase(typeof(DateTimeOffset))]
        [TestCase(typeof(Verdict))]
        public void What_Newtonsoft_makes_of_lists_and_maps_that_can_only_be_read_is_made_ahead_of_time_too(Type item)
        {
            // The interfaces of generated fields have these two as what is read, and these two as what the game gets.
            var hints = AotHints.Collections().SelectMany(hint => (object[])hint).Select(hint => hint.GetType()).ToArray();
            CollectionAssert.Contains(hints, typeof(List<>).MakeGenericType(item));
            CollectionAssert.Contains(hints, typeof(ReadOnlyCollection<>).MakeGenericType(item));
            CollectionAssert.Contains(hints, typeof(Dictionary<,>).MakeGenericType(typeof(string), item));
            CollectionAssert.Contains(hints, typeof(ReadOnlyDictionary<,>).MakeGenericType(typeof(string), item));
        }

        [Test]
        public void A_request_that_is_refused_unanswered_or_answered_with_something_else_calls_one_handler_each()
        {
            Begin(isConnected: true);
            Send();
            Respond("{\"Sum\":\"many\"}");
            StringAssert.StartsWith("error bad_response: \"Custom.Game.Ask\" does not fit its class: ", told.Single());
            told.Clear();
            Send();
            var id = world.Newest.IdOf("Custom.Game.Ask");
            world.Newest.Receives($"{{\"kind\":\"error\",\"id\":\"{id}\",\"code\":\"NOT_ENOUGH_GOLD\",\"message\":\"poor\"}}");
            world.Settle();
            Assert.AreEqual(new[] { "error NOT_ENOUGH_GOLD: poor" }, told);
            told.Clear();
            Send();
            world.Advance(10000);
            Assert.AreEqual(new[] { "timeout" }, told);
        }

        [Test]
        public void A_handler_that_throws_is_not_taken_for_a_response_that_does_not_fit()
        {
            Begin(isConnected: true);
            connection.SendRequest<Question, Answer>(
                new Message<Question>("Custom.Game.Ask", new Question("hi")),
                Timeout,
                response => { throw new InvalidOperationException("a bug of the game"); },
                error => told.Add("error"),
                () => told.Add("timeout"));
            Assert.Throws<InvalidOperationException>(() => Respond("{\"Sum\":3,\"At\":\"2024-01-02T03:04:05Z\"}"));
            Assert.IsEmpty(told);
        }

        [Test]
        public void The_first_request_connects_and_is_sent_after_the_welcome()
        {
            Begin(isConnected: false);
            Send("first");
            Send("second");
            world.Settle();
            world.Newest.Welcomes();
            var sent = world.Newest.Sent.Where(frame => (string)frame["type"] == "Custom.Game.Ask");
            Assert.AreEqual(new[] { "first", "second" }, sent.Select(frame => (string)frame["payload"]["Text"]));
            Respond("{\"Sum\":3,\"At\":\"2024-01-02T03:04:05Z\"}");
            Assert.AreEqual(1, told.Count);
        }

        [Test]
        public void A_request_waits_for_the_connection_through_failed_attempts_but_not_beyond_its_time_out()
        {
            Begin(isConnected: false);
            Send("patient", TimeSpan.FromSeconds(60));
            Send("impatient", TimeSpan.FromSeconds(1));
            world.Settle();
            world.Newest.Closes(4004, "full; retryAfterMs=3000");
            world.Advance(3500);
            Assert.AreEqual(new[] { "timeout" }, told);
            world.Newest.Welcomes();
            Assert.AreEqual("patient", (string)world.Newest.Sent.Single(frame => (string)frame["type"] == "Custom.Game.Ask")["payload"]["Text"]);
            // What is left of the minute.
            world.Advance(20000);
            world.Newest.Receives(Text.Heartbeat);
            world.Advance(20000);
            world.Newest.Receives(Text.Heartbeat);
            world.Advance(16499);
            Assert.AreEqual(1, told.Count);
            world.Advance(1);
            Assert.AreEqual(new[] { "timeout", "timeout" }, told);
        }

        [Test]
        public void Requests_that_wait_fail_with_the_reason_when_the_client_stops()
        {
            Begin(isConnected: false);
            DefaultError failure = null;
            connection.SendRequest<Question, Answer>(
                new Message<Question>("Custom.Game.Ask", new Question("hi")),
                Timeout,
                response => told.Add("answer"),
                error => failure = error.Payload,
                () => told.Add("timeout"));
            world.Settle();
            world.Newest.Closes(4510, "blocked; until=1700000000000; requestId=r-1");
            world.Settle();
            Assert.AreEqual("blocked", failure.Code);
            Assert.AreEqual("r-1", failure.Closure.RequestId);
            Assert.IsEmpty(told);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void A_request_does_not_bring_back_a_player_who_was_kicked()
        {
            Begin(isConnected: true);
            world.Newest.Closes(4500, "out");
            Send();
            world.Advance(60000);
            Assert.AreEqual(new[] { "error disconnected: connection closed: out (4500)" }, told);
            Assert.AreEqual(1, world.Sockets.Count);
            world.Client.Connect();
            Send();
            world.Settle();
            world.Newest.Welcomes();
            Respond("{\"Sum\":3,\"At\":\"2024-01-02T03:04:05Z\"}");
            Assert.AreEqual(2, told.Count);
        }

        [Test]
        public void As_many_requests_as_may_wait_are_all_sent_at_the_welcome_of_a_server_with_the_usual_limits()
        {
            Begin(isConnected: false);
            var sent = 0;
            for (; told.Count == 0; sent += 1)
            {
                Send();
                world.Settle();
            }
            told.Clear();
            world.Newest.Welcomes();
            world.Settle();
            Assert.IsEmpty(told);
            Assert.AreEqual(sent - 1, world.Newest.Sent.Count(frame => (string)frame["type"] == "Custom.Game.Ask"));
        }

        [Test]
        public void No_more_than_48_requests_wait_and_those_that_are_over_make_room()
        {
            Begin(isConnected: false);
            for (var request = 0; request < 49; request += 1) Send();
            world.Settle();
            Assert.AreEqual(new[] { "error busy: 48 requests wait for the connection; send this later" }, told);
            world.Newest.Closes(4007, "maintenance; retryAfterMs=60000");
            world.Advance(10000);
            told.Clear();
            Send();
            world.Settle();
            Assert.IsEmpty(told);
        }

        [Test]
        public void A_payload_that_cannot_be_JSON_is_refused_in_the_call()
        {
            Begin(isConnected: true);
            var error = Assert.Throws<RequestException>(() => connection.SendEvent(new Message<Endless>("Custom.Game.E", new Endless())));
            Assert.AreEqual("bad_request", error.Code);
            Assert.Throws<RequestException>(() => connection.SendEvent(new Message<Question>("Custom.Game.E", null)));
            Assert.Throws<RequestException>(() => connection.SendEvent(new Message<string>("Custom.Game.E", "text")));
            Assert.AreEqual(0, world.Newest.Count("event"));
        }

        [Test]
        public void An_event_is_sent_or_says_at_once_that_it_was_not()
        {
            Begin(isConnected: true);
            connection.SendEvent(new Message<Question>("Custom.Game.Said", new Question("hi", 3)));
            var expected = "{\"kind\":\"event\",\"payload\":{\"Level\":3,\"Text\":\"hi\"},\"type\":\"Custom.Game.Said\"}";
            Assert.AreEqual(expected, Text.Canonical(world.Newest.LastSent));
            world.Newest.Closes(1006);
            Assert.Throws<ConnectionClosedException>(() => connection.SendEvent(new Message<Question>("Custom.Game.Said", new Question("hi"))));
        }

        [TestCase("de-DE")]
        [TestCase("th-TH")]
        [TestCase("ar-SA")]
        public void Times_and_numbers_are_sent_as_servers_read_them_whatever_the_culture_of_the_player(string culture)
        {
            Begin(isConnected: true);
            var before = Thread.CurrentThread.CurrentCulture;
            Thread.CurrentThread.CurrentCulture = new CultureInfo(culture);
            try
            {
                var at = new DateTimeOffset(2024, 1, 2, 3, 4, 5, 6, TimeSpan.FromHours(-2));
                var odds = new Dictionary<string, decimal> { ["Anna"] = -0.25m };
                connection.SendEvent(new Message<Race>("Custom.Game.Began", new Race(at, 1234.5m, new[] { 9007199254740991 }, odds)));
            }
            finally
            {
                Thread.CurrentThread.CurrentCulture = before;
            }
            // As text, because the parser of the tests would take the time for one of the machine's zone.
            StringAssert.Contains(
                "{\"At\":\"2024-01-02T03:04:05.006-02:00\",\"Fee\":1234.5,\"Laps\":[9007199254740991],\"Odds\":{\"Anna\":-0.25}}",
                world.Newest.LastText);
        }

        [Test]
        public void Notifications_go_to_all_who_have_subscribed_to_their_type_until_they_dispose_of_it()
        {
            Begin(isConnected: true);
            var first = connection.SubscribeToNotification<Question>("Custom.Game.Chat", chat => told.Add($"first {chat.Payload.Text}"));
            connection.SubscribeToNotification<Question>("Custom.Game.Chat", chat => told.Add($"second {chat.Payload.Text}"));
            var payload = Newtonsoft.Json.Linq.JObject.Parse("{\"Text\":\"hi\"}");
            world.Newest.Receives(Text.Notification("Custom.Game.Other", payload));
            world.Newest.Receives(Text.Notification("Custom.Game.Chat", payload));
            first.Dispose();
            first.Dispose();
            world.Newest.Receives(Text.Notification("Custom.Game.Chat", payload));
            Assert.AreEqual(new[] { "first hi", "second hi", "second hi" }, told);
        }

        [Test]
        public void A_notification_that_does_not_fit_its_class_is_told_by_the_update()
        {
            Begin(isConnected: true);
            connection.SubscribeToNotification<Answer>("Custom.Game.Chat", chat => told.Add("chat"));
            world.Newest.Receives(Text.Notification("Custom.Game.Chat", Newtonsoft.Json.Linq.JObject.Parse("{\"Sum\":[]}")));
            Assert.AreEqual("bad_response", Assert.Throws<RequestException>(() => world.Client.Update()).Code);
            Assert.IsEmpty(told);
        }

        [Test]
        public void A_request_can_be_awaited()
        {
            Begin(isConnected: true);
            var ask = new Message<Question>("Custom.Game.Ask", new Question("hi"));
            var answered = connection.SendRequestAsync<Question, Answer>(ask, Timeout);
            Respond("{\"Sum\":3,\"At\":\"2024-01-02T03:04:05Z\"}");
            Assert.AreEqual(3, world.ResultOf(answered).Sum);
            var late = connection.SendRequestAsync<Question, Answer>(ask, Timeout);
            world.Advance(10000);
            world.ErrorOf<RequestTimeoutException>(late);
        }
    }
}
