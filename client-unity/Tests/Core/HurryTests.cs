using System;
using System.Linq;
using System.Threading.Tasks;
using NUnit.Framework;

namespace Respark.Tests
{
    /// <summary>What a client does that hears that the network is back or the player has returned.</summary>
    [TestFixture]
    public sealed class HurryTests
    {
        private static Action<ResparkClient>[] Ways()
        {
            return new Action<ResparkClient>[] { client => client.Connect(), client => client.Hurry() };
        }

        private int made;

        /// <summary>A client that has waited through failed attempts, until the next one is more than 20 seconds away.</summary>
        private World SetUpWaiting()
        {
            var world = World.Connected(options => options.Random = () => 0.9);
            LoseSixTimes(world);
            world.Newest.Closes(1006);
            world.Told.Clear();
            Assert.AreEqual(ClientState.Waiting, world.Client.State);
            made = world.Sockets.Count;
            return world;
        }

        private static void LoseSixTimes(World world)
        {
            for (var attempt = 0; attempt < 6; attempt += 1)
            {
                world.Newest.Closes(1006);
                world.Advance(27000);
            }
        }

        [Test]
        public void Connect_while_waiting_starts_an_attempt_now_and_waits_for_its_welcome()
        {
            var world = SetUpWaiting();
            var connected = world.Client.Connect();
            Assert.AreEqual(ClientState.Connecting, world.Client.State);
            world.Settle();
            Assert.AreEqual(made + 1, world.Sockets.Count);
            world.Newest.Welcomes("connectionId=connection-2");
            Assert.AreEqual("connection-2", world.ResultOf(connected).ConnectionId);
            Assert.AreEqual(new[] { "connecting", "connected", "welcome player-1" }, world.Told);
        }

        [TestCaseSource("Ways")]
        public void While_waiting_it_starts_an_attempt(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            hurry(world.Client);
            world.Settle();
            Assert.AreEqual(made + 1, world.Sockets.Count);
            world.Newest.Welcomes();
            Assert.AreEqual(ClientState.Connected, world.Client.State);
        }

        [TestCaseSource("Ways")]
        public void It_starts_the_back_off_again_from_its_base(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            hurry(world.Client);
            world.Settle();
            world.Newest.Closes(1006);
            Assert.AreEqual("disconnect 1006 450", world.Told.Last());
        }

        [TestCaseSource("Ways")]
        public void It_does_not_wait_for_a_timer_that_should_have_fired_already_however_often_it_was_called(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            hurry(world.Client);
            world.Settle();
            world.Newest.Closes(1006);
            hurry(world.Client);
            Assert.AreEqual(ClientState.Waiting, world.Client.State);
            world.Sleep(1000);
            hurry(world.Client);
            Assert.AreEqual(ClientState.Connecting, world.Client.State);
        }

        [TestCaseSource("Ways")]
        public void It_leaves_no_timer_of_the_wait_that_it_cut_short(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            hurry(world.Client);
            world.Settle();
            world.Newest.Welcomes();
            Assert.AreEqual(3, world.Timers, "the next heartbeat, the deadline of the server and that of a request");
        }

        [TestCaseSource("Ways")]
        public void It_waits_as_long_as_the_server_asked_for_and_only_the_rest_is_cut_short(Action<ResparkClient> hurry)
        {
            var world = World.Connected(options => options.Random = () => 0.9);
            LoseSixTimes(world);
            made = world.Sockets.Count;
            world.Newest.Closes(4004, "full; retryAfterMs=20000");
            world.Advance(5000);
            hurry(world.Client);
            Assert.AreEqual(ClientState.Waiting, world.Client.State);
            world.Advance(15449);
            Assert.AreEqual(made, world.Sockets.Count);
            world.Advance(1);
            Assert.AreEqual(made + 1, world.Sockets.Count);
        }

        [TestCaseSource("Ways")]
        public void At_every_disconnect_it_makes_no_storm(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            world.Client.Disconnected += _ => hurry(world.Client);
            for (var passedMs = 0; passedMs < 600000; passedMs += 100)
            {
                hurry(world.Client);
                if (!world.Newest.IsGone) world.Newest.Closes(1006);
                world.Advance(100);
            }
            Assert.That(world.Sockets.Count - made, Is.InRange(51, 119), "attempts in ten minutes");
        }

        [TestCaseSource("Ways")]
        public void While_connected_it_checks_that_the_server_is_still_there(Action<ResparkClient> hurry)
        {
            var world = World.Connected();
            world.Advance(4000);
            hurry(world.Client);
            Assert.AreEqual("heartbeat", (string)world.Newest.LastSent["kind"]);
            world.Advance(5000);
            Assert.AreEqual(new[] { "waiting", "disconnect 1006 250" }, world.Told);
        }

        [Test]
        public void Hurry_leaves_a_client_closed_that_is_closed_and_one_stopped_that_has_stopped()
        {
            var world = World.Connected();
            world.Newest.Closes(4500);
            world.Client.Hurry();
            world.Advance(60000);
            world.Client.Connect();
            world.Settle();
            world.Client.Close();
            world.Client.Hurry();
            world.Advance(60000);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            Assert.AreEqual(2, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
        }

        [TestCaseSource("Ways")]
        public void Again_and_again_the_client_neither_storms_nor_floods(Action<ResparkClient> hurry)
        {
            var world = SetUpWaiting();
            for (var flap = 0; flap < 600; flap += 1)
            {
                hurry(world.Client);
                if (!world.Newest.IsGone) world.Newest.Closes(1006);
                world.Advance(100);
            }
            Assert.Less(world.Sockets.Count - made, 18, "attempts in a minute");
            var connected = World.Connected();
            for (var flap = 0; flap < 600; flap += 1)
            {
                hurry(connected.Client);
                connected.Newest.Receives(Text.Heartbeat);
                connected.Advance(100);
            }
            Assert.Less(connected.Newest.Sent.Count, 65);
        }
    }

    [TestFixture]
    public sealed class HeldBackTimerTests
    {
        [Test]
        public void Where_timers_fire_once_a_minute_a_connection_is_kept_while_the_server_answers()
        {
            var world = World.Connected(wakeMs: 60000);
            for (var minute = 0; minute < 60; minute += 1)
            {
                world.Advance(60000);
                world.Newest.Receives(Text.Heartbeat);
            }
            Assert.IsFalse(world.Told.Any(line => !line.StartsWith("error", StringComparison.Ordinal)));
            Assert.AreEqual("connection-1", world.Client.ConnectionId);
        }

        [Test]
        public void Where_timers_fire_once_a_minute_a_connection_that_was_lost_comes_back_at_once()
        {
            var world = World.Connected(wakeMs: 60000);
            while (!world.Told.Contains("waiting")) world.Advance(60000);
            Assert.AreEqual(new[] { "waiting", "disconnect 1006 0", "connecting" }, world.Told.Skip(world.Told.Count - 3));
            Assert.AreEqual(2, world.Sockets.Count);
            world.Newest.Welcomes();
            Assert.AreEqual(ClientState.Connected, world.Client.State);
        }

        [Test]
        public void A_handler_may_close_the_client_before_the_attempt_that_would_follow_at_once()
        {
            var world = World.Connected(wakeMs: 60000);
            world.Client.Disconnected += _ => world.Client.Close();
            world.Advance(600000);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            Assert.AreEqual(1, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void A_deadline_that_fires_late_leaves_time_for_a_welcome_that_lies_unread()
        {
            var world = new World();
            var connected = world.Client.Connect();
            world.Settle();
            world.Sleep(12000);
            world.Advance(0);
            world.Newest.Opens();
            world.Advance(4999);
            world.Newest.Welcomes();
            Assert.AreEqual("connection-1", world.ResultOf(connected).ConnectionId);
            Assert.AreEqual(new[] { "connecting", "connected", "welcome player-1" }, world.Told);
        }

        [Test]
        public void But_no_more_than_five_seconds()
        {
            var world = new World();
            world.Client.Connect();
            world.Settle();
            world.Sleep(12000);
            world.Advance(5000);
            Assert.AreEqual(new[] { "connecting", "waiting", "disconnect 1006 0", "connecting" }, world.Told);
        }

        [Test]
        public void And_for_the_answer_to_a_request()
        {
            var world = World.Connected();
            var timers = world.Timers;
            var answered = world.Client.Request("A");
            var silent = world.Client.Request("B");
            world.Sleep(15000);
            world.Advance(4999);
            world.Newest.Receives(Text.Response(world.Newest.IdOf("A"), "y", "2"));
            Assert.AreEqual("2", (string)world.ResultOf(answered)["y"]);
            world.Advance(1);
            world.ErrorOf<RequestTimeoutException>(silent);
            Assert.LessOrEqual(world.Timers, timers);
        }

        [Test]
        public void And_for_the_token_from_the_storage()
        {
            var loading = new TaskCompletionSource<string>();
            var world = new World(options => options.Storage = new FakeStorage { Load = () => loading.Task });
            world.Client.Connect();
            world.Sleep(60000);
            world.Advance(4999);
            loading.SetResult("saved");
            world.Settle();
            world.Newest.Opens();
            Assert.AreEqual("saved", (string)world.Newest.Sent[0]["token"]);
            Assert.AreEqual(new[] { "connecting" }, world.Told);
        }
    }
}
