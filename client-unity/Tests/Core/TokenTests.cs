using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    internal sealed class FakeStorage : ITokenStorage
    {
        internal Func<Task<string>> Load { get; set; } = () => Task.FromResult<string>(null);

        internal Func<string, Task> Save { get; set; } = token => Task.FromResult(true);

        internal List<string> Saved { get; } = new List<string>();

        public bool IsShared { get; set; }

        public Task<string> LoadAsync(TokenScope scope)
        {
            return Load();
        }

        public Task SaveAsync(string token, TokenScope scope)
        {
            Saved.Add(token);
            return Save(token);
        }

        /// <summary>A storage that holds these in turn; null in place of one is a failure.</summary>
        internal static FakeStorage Of(params Func<string>[] loads)
        {
            var left = new Queue<Func<string>>(loads);
            return new FakeStorage { Load = () => Task.FromResult(left.Dequeue()()) };
        }

        internal static string Locked()
        {
            throw new InvalidOperationException("locked");
        }
    }

    [TestFixture]
    public sealed class PlayerTokenTests
    {
        private Ticker ticker;
        private List<string> reports;
        private PlayerToken token;
        private int made;

        private void Begin(ITokenStorage storage = null, string given = null)
        {
            ticker = new Ticker();
            reports = new List<string>();
            made = 0;
            token = new PlayerToken(given, null, storage, "ws://test/connect", "key", ticker.Loop, error => reports.Add(error.Code));
        }

        private string Loaded()
        {
            var loaded = token.Load(1000);
            ticker.Settle();
            Assert.AreEqual(TaskStatus.RanToCompletion, loaded.Status, loaded.Exception?.ToString());
            return loaded.Result;
        }

        /// <summary>Answers `token-1`, `token-2`, …</summary>
        private Task<JObject> Ask()
        {
            made += 1;
            return Task.FromResult(new JObject { ["AuthenticationToken"] = $"token-{made}" });
        }

        private static Task<T> Failed<T>(string message)
        {
            var failed = new TaskCompletionSource<T>();
            failed.SetException(new InvalidOperationException(message));
            return failed.Task;
        }

        [Test]
        public void Loading_reads_the_saved_token_once()
        {
            var loads = 0;
            Begin(new FakeStorage
            {
                Load = () =>
                {
                    loads += 1;
                    return Task.FromResult("saved");
                },
            });
            Assert.AreEqual("saved", Loaded());
            Assert.AreEqual("saved", Loaded());
            Assert.AreEqual(1, loads);
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void Loading_does_not_ask_the_storage_when_a_token_was_given()
        {
            Begin(FakeStorage.Of(), "given");
            Assert.AreEqual("given", Loaded());
            Assert.IsEmpty(reports);
        }

        [Test]
        public void Loading_from_a_storage_that_throws_is_reported_and_a_guest_never_overwrites_what_the_storage_holds()
        {
            var storage = FakeStorage.Of(FakeStorage.Locked);
            Begin(storage);
            Assert.IsNull(Loaded());
            token.StartRenewing(Ask, "player-1", 3600000);
            ticker.Settle();
            Assert.AreEqual("token-1", Loaded());
            Assert.AreEqual(new[] { "storage" }, reports);
            Assert.IsEmpty(storage.Saved);
        }

        [Test]
        public void Loading_from_a_storage_that_hangs_gives_up_after_the_time_out()
        {
            Begin(new FakeStorage { Load = () => new TaskCompletionSource<string>().Task });
            var loaded = token.Load(1000);
            ticker.Advance(1000);
            Assert.IsTrue(loaded.IsCompleted);
            Assert.IsNull(loaded.Result);
            Assert.AreEqual(new[] { "storage" }, reports);
        }

        [Test]
        public void Loading_takes_a_token_that_another_thread_brings()
        {
            Begin(new FakeStorage { Load = () => Task.Run(() => "from a thread") });
            var loaded = token.Load(60000);
            Assert.IsTrue(System.Threading.SpinWait.SpinUntil(
                () =>
                {
                    ticker.Settle();
                    return loaded.IsCompleted;
                },
                30000));
            Assert.AreEqual("from a thread", loaded.Result);
        }

        [Test]
        public void A_shared_storage_is_loaded_before_each_attempt_and_decides_which_player_it_is()
        {
            var storage = FakeStorage.Of(() => "saved", () => "of another process", () => null);
            storage.IsShared = true;
            Begin(storage);
            Assert.AreEqual(new[] { "saved", "of another process", null }, new[] { Loaded(), Loaded(), Loaded() });
        }

        [Test]
        public void A_shared_storage_that_could_not_be_read_at_first_and_is_empty_takes_the_guest_of_this_client()
        {
            var storage = FakeStorage.Of(FakeStorage.Locked, () => null);
            storage.IsShared = true;
            Begin(storage);
            Loaded();
            token.StartRenewing(Ask, "player-1", 3600000);
            ticker.Settle();
            Assert.IsEmpty(storage.Saved);
            Assert.AreEqual("token-1", Loaded());
            made = 0;
            token.StartRenewing(Ask, "player-1", 3600000);
            ticker.Settle();
            Assert.AreEqual(new[] { "token-1" }, storage.Saved);
        }

        [Test]
        public void A_shared_storage_that_cannot_be_read_for_a_while_does_not_lose_the_player()
        {
            var storage = FakeStorage.Of(() => "saved", FakeStorage.Locked);
            storage.IsShared = true;
            Begin(storage);
            Assert.AreEqual(new[] { "saved", "saved" }, new[] { Loaded(), Loaded() });
            Assert.AreEqual(new[] { "storage" }, reports);
        }

        [Test]
        public void A_shared_storage_counts_less_than_what_could_not_be_saved_there_until_it_holds_something_else()
        {
            string held = null;
            Begin(new FakeStorage
            {
                IsShared = true,
                Load = () => Task.FromResult(held),
                Save = _ => Failed<bool>("full"),
            });
            Assert.IsNull(Loaded());
            token.StartRenewing(Ask, "player-1", 60000);
            ticker.Settle();
            token.StopRenewing();
            Assert.AreEqual("token-1", Loaded());
            held = "of another process";
            Assert.AreEqual("of another process", Loaded());
            token.Forget();
            ticker.Settle();
            Assert.IsNull(Loaded(), "the player is forgotten all the same");
            Assert.AreEqual(new[] { "storage", "storage" }, reports);
        }

        [Test]
        public void A_shared_storage_counts_again_once_a_player_that_was_given_has_been_forgotten()
        {
            var storage = FakeStorage.Of(() => "of another process");
            storage.IsShared = true;
            Begin(storage, "given");
            Assert.AreEqual("given", Loaded());
            token.Forget();
            ticker.Settle();
            Assert.AreEqual("of another process", Loaded());
        }

        [Test]
        public void Renewing_asks_at_once_and_at_half_of_each_lifetime_and_saves_each_token()
        {
            var storage = new FakeStorage();
            Begin(storage);
            Loaded();
            token.StartRenewing(Ask, "player-1", 60000);
            ticker.Advance(29999);
            Assert.AreEqual(new[] { "token-1" }, storage.Saved);
            ticker.Advance(1);
            Assert.AreEqual(new[] { "token-1", "token-2" }, storage.Saved);
            Assert.AreEqual("token-2", Loaded());
        }

        [Test]
        public void Renewing_stops_with_the_connection_also_while_an_answer_is_on_its_way()
        {
            var storage = new FakeStorage();
            Begin(storage);
            token.StartRenewing(Ask, "player-1", 60000);
            token.StopRenewing();
            ticker.Advance(120000);
            token.StartRenewing(() => Failed<JObject>("closed"), "player-1", 60000);
            token.StopRenewing();
            ticker.Advance(120000);
            Assert.IsEmpty(storage.Saved);
            Assert.IsEmpty(reports);
            Assert.AreEqual(0, ticker.Timers);
        }

        private static IEnumerable<TestCaseData> BadAnswers()
        {
            yield return new TestCaseData(Failed<JObject>("no handler")).SetName("Renewing that is answered by an error is tried again");
            yield return new TestCaseData(Task.FromResult(new JObject())).SetName("Renewing that is answered by no token is tried again");
            yield return new TestCaseData(Task.FromResult(new JObject { ["AuthenticationToken"] = 7 }))
                .SetName("Renewing that is answered by a number is tried again");
            yield return new TestCaseData(Task.FromResult(new JObject { ["AuthenticationToken"] = new string('t', 4097) }))
                .SetName("Renewing that is answered by a token that no hello may carry is tried again");
        }

        [TestCaseSource("BadAnswers")]
        public void Renewing_that_fails_is_reported_and_tried_again_after_a_minute(Task<JObject> answer)
        {
            Begin(null, "old");
            var asked = 0;
            token.StartRenewing(
                () =>
                {
                    asked += 1;
                    return asked == 1 ? answer : Ask();
                },
                "player-1",
                3600000);
            ticker.Advance(59999);
            Assert.AreEqual(new[] { "token" }, reports);
            Assert.AreEqual("old", Loaded());
            ticker.Advance(1);
            Assert.AreEqual("token-1", Loaded());
        }

        [Test]
        public void Renewing_never_asks_more_than_once_a_second_however_short_the_lifetimes()
        {
            Begin();
            token.StartRenewing(Ask, "player-1", 1);
            ticker.Advance(3500);
            Assert.AreEqual(4, made);
        }

        [Test]
        public void Saving_that_fails_is_reported_and_changes_nothing_else()
        {
            Begin(new FakeStorage { Save = _ => Failed<bool>("full") });
            Loaded();
            token.StartRenewing(Ask, "player-1", 60000);
            ticker.Settle();
            Assert.AreEqual(new[] { "storage" }, reports);
            Assert.AreEqual("token-1", Loaded());
        }

        [Test]
        public void A_player_may_be_forgotten_by_whoever_hears_that_saving_has_failed()
        {
            var storage = new FakeStorage { Save = _ => { throw new InvalidOperationException("full"); } };
            var world = World.Connected(options => options.Storage = storage);
            var forgotten = new List<Task>();
            world.Client.Failed += error =>
            {
                // One that does not stop would end the process of the tests.
                if (forgotten.Count < 100) forgotten.Add(world.Client.ForgetPlayer());
            };
            world.AnswerToken("token-1");
            world.Newest.Closes(1000);
            world.Settle();
            Assert.AreEqual(new[] { "token-1", null }, storage.Saved);
            Assert.AreEqual(2, forgotten.Count);
            Assert.IsTrue(forgotten.TrueForAll(task => task.IsCompleted));
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void Saving_waits_for_the_save_before_it_and_then_saves_only_the_newest_token()
        {
            var running = new List<TaskCompletionSource<bool>>();
            var storage = new FakeStorage
            {
                Save = _ =>
                {
                    running.Add(new TaskCompletionSource<bool>());
                    return running.Last().Task;
                },
            };
            Begin(storage);
            token.StartRenewing(Ask, "player-1", 60000);
            ticker.Advance(60000);
            Assert.AreEqual(new[] { "token-1" }, storage.Saved);
            running[0].SetResult(true);
            ticker.Settle();
            Assert.AreEqual(new[] { "token-1", "token-3" }, storage.Saved);
            running[1].SetResult(true);
            ticker.Advance(30000);
            Assert.AreEqual(new[] { "token-1", "token-3", "token-4" }, storage.Saved);
        }

        [Test]
        public void Saving_null_is_how_a_player_is_forgotten()
        {
            var storage = FakeStorage.Of(() => "saved");
            Begin(storage);
            Loaded();
            var forgotten = token.Forget();
            ticker.Settle();
            Assert.IsTrue(forgotten.IsCompleted);
            Assert.AreEqual(new string[] { null }, storage.Saved);
            Assert.IsNull(Loaded());
        }

        [Test]
        public void Forgetting_during_a_load_leaves_the_loaded_token_unused()
        {
            var loading = new TaskCompletionSource<string>();
            Begin(new FakeStorage { Load = () => loading.Task });
            var loaded = token.Load(1000);
            ticker.Settle();
            token.Forget();
            ticker.Settle();
            loading.SetResult("saved");
            ticker.Settle();
            Assert.IsNull(loaded.Result);
            Assert.IsNull(Loaded());
        }
    }

    [TestFixture]
    public sealed class ClientTokenTests
    {
        private static string TokenOf(FakeSocket socket)
        {
            Assert.AreEqual("hello", (string)socket.Sent[0]["kind"]);
            return (string)socket.Sent[0]["token"];
        }

        [Test]
        public void The_token_is_asked_for_after_the_welcome_saved_and_used_to_come_back()
        {
            var storage = new FakeStorage();
            var world = World.Connected(options => options.Storage = storage);
            world.AnswerToken("token-1");
            Assert.AreEqual(new[] { "token-1" }, storage.Saved);
            world.Newest.Closes(1006);
            world.Advance(500);
            world.Newest.Opens();
            Assert.AreEqual("token-1", TokenOf(world.Newest));
        }

        [Test]
        public void The_token_is_loaded_before_the_first_hello()
        {
            var world = new World(options => options.Storage = FakeStorage.Of(() => "saved"));
            world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            Assert.AreEqual("saved", TokenOf(world.Newest));
        }

        [Test]
        public void The_token_is_awaited_by_the_next_attempt_if_one_is_given_up_while_the_storage_loads()
        {
            var loading = new TaskCompletionSource<string>();
            var storage = new FakeStorage { Load = () => loading.Task };
            var world = new World(options => options.Storage = storage);
            world.Client.Connect();
            world.Settle();
            world.Client.Close();
            world.Client.Connect();
            world.Settle();
            Assert.AreEqual(0, world.Sockets.Count);
            loading.SetResult("saved");
            world.Settle();
            world.Newest.Opens();
            Assert.AreEqual(1, world.Sockets.Count);
            Assert.AreEqual("saved", TokenOf(world.Newest));
            Assert.IsEmpty(storage.Saved);
        }

        [Test]
        public void The_token_is_renewed_at_half_of_its_lifetime()
        {
            var world = World.Connected();
            world.AnswerToken("token-1");
            for (var passedMs = 0; passedMs < 1800000; passedMs += 20000)
            {
                world.Advance(20000);
                world.Newest.Receives(Text.Heartbeat);
            }
            Assert.AreEqual(2, world.Newest.Count("request"));
        }

        [Test]
        public void The_token_is_kept_when_it_is_refused_until_ForgetPlayer_makes_way_for_a_new_guest()
        {
            var storage = FakeStorage.Of(() => "expired");
            var world = new World(options => options.Storage = storage);
            for (var attempt = 0; attempt < 2; attempt += 1)
            {
                var connected = world.Client.Connect();
                world.Settle();
                world.Newest.Opens();
                Assert.AreEqual("expired", TokenOf(world.Newest));
                world.Newest.Closes(4503, "the token is expired");
                Assert.AreEqual("token_refused", world.ErrorOf<ConnectionClosedException>(connected).Code);
            }
            Assert.IsEmpty(storage.Saved);
            var forgotten = world.Client.ForgetPlayer();
            world.Settle();
            Assert.IsTrue(forgotten.IsCompleted);
            Assert.AreEqual(new string[] { null }, storage.Saved);
            world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            Assert.IsNull(TokenOf(world.Newest));
        }

        [Test]
        public void A_storage_that_fails_causes_a_failure_event_but_does_not_end_the_connection()
        {
            var world = new World(options => options.Storage = FakeStorage.Of(FakeStorage.Locked));
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.ResultOf(connected);
            Assert.AreEqual("error the stored token could not be loaded; connecting as a guest", world.Told[1]);
            Assert.AreEqual(ClientState.Connected, world.Client.State);
        }

        [Test]
        public void The_token_comes_from_the_game_itself_before_each_attempt_and_is_then_neither_renewed_nor_stored()
        {
            var storage = FakeStorage.Of();
            var made = 0;
            var world = new World(options =>
            {
                options.Storage = storage;
                options.TokenSource = _ =>
                {
                    made += 1;
                    return Task.FromResult($"theirs-{made}");
                };
            });
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Welcomes();
            world.ResultOf(connected);
            Assert.AreEqual(1, world.Newest.Sent.Count);
            Assert.AreEqual("theirs-1", TokenOf(world.Newest));
            world.Newest.Closes(1006);
            world.Advance(500);
            world.Newest.Opens();
            Assert.AreEqual("theirs-2", TokenOf(world.Newest));
            Assert.IsFalse(world.Told.Any(line => line.StartsWith("error", StringComparison.Ordinal)));
            Assert.IsEmpty(storage.Saved);
        }

        [Test]
        public void The_game_is_asked_for_a_token_once_more_when_the_server_refuses_it_and_again_after_the_next_welcome()
        {
            var asked = new List<bool>();
            var world = new World(options => options.TokenSource = wasRefused =>
            {
                asked.Add(wasRefused);
                return Task.FromResult(wasRefused ? "fresh" : "old");
            });
            var connected = world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            world.Newest.Closes(4503, "the token has expired");
            world.Advance(500);
            world.Newest.Welcomes();
            world.ResultOf(connected);
            Assert.AreEqual("fresh", TokenOf(world.Newest));
            CollectionAssert.Contains(world.Told, "disconnect 4503 250");
            world.Newest.Closes(1006);
            for (var attempt = 0; attempt < 2; attempt += 1)
            {
                world.Advance(2000);
                world.Newest.Opens();
                world.Newest.Closes(4503, "the token has expired");
            }
            world.Advance(60000);
            Assert.AreEqual(ClientState.Closed, world.Client.State);
            Assert.AreEqual(4, world.Sockets.Count);
            Assert.AreEqual(new[] { false, true, false, true }, asked);
        }

        [Test]
        public void A_token_that_the_game_cannot_give_now_is_asked_for_again_and_nobody_else_is_connected_meanwhile()
        {
            var isOnline = false;
            var world = new World(options => options.TokenSource = _ =>
            {
                if (!isOnline) throw new InvalidOperationException("offline");
                return Task.FromResult("theirs");
            });
            var connected = world.Client.Connect();
            world.Settle();
            Assert.AreEqual(0, world.Sockets.Count);
            CollectionAssert.Contains(world.Told, "error the game's own function gave no token: offline");
            isOnline = true;
            world.Advance(500);
            world.Newest.Welcomes();
            world.ResultOf(connected);
            Assert.AreEqual("theirs", TokenOf(world.Newest));
        }

        private static IEnumerable<TestCaseData> NoTokens()
        {
            yield return new TestCaseData(new TaskCompletionSource<string>().Task).SetName("A token that the game does not give in time ends an attempt");
            yield return new TestCaseData(Task.FromResult("")).SetName("An empty token of the game ends an attempt");
            yield return new TestCaseData(Task.FromResult(new string('x', 4097))).SetName("A token of the game that is too long ends an attempt");
        }

        [TestCaseSource("NoTokens")]
        public void No_token_ends_an_attempt(Task<string> given)
        {
            var world = new World(options =>
            {
                options.TokenSource = _ => given;
                options.ConnectTimeout = TimeSpan.FromSeconds(1);
                options.Reconnect.MaxRetries = 0;
            });
            var connected = world.Client.Connect();
            world.Advance(1000);
            StringAssert.Contains("gave no token", world.ErrorOf<ConnectionClosedException>(connected).Message);
            Assert.AreEqual(0, world.Sockets.Count);
            Assert.AreEqual(0, world.Timers);
        }

        [Test]
        public void The_source_of_the_game_is_forgotten_with_the_player_who_is_then_a_new_guest()
        {
            var world = new World(options => options.TokenSource = _ => Task.FromResult("theirs"));
            world.Client.ForgetPlayer();
            world.Client.Connect();
            world.Settle();
            world.Newest.Opens();
            Assert.IsNull(TokenOf(world.Newest));
        }

        [Test]
        public void The_source_of_the_game_is_forgotten_before_a_listener_that_hears_of_the_end_connects_again()
        {
            var world = World.Connected(options => options.TokenSource = _ => Task.FromResult("theirs"));
            Assert.AreEqual("theirs", TokenOf(world.Newest));
            var isAgain = false;
            world.Client.Disconnected += _ =>
            {
                if (isAgain) return;
                isAgain = true;
                world.Client.Connect();
            };
            world.Client.ForgetPlayer();
            world.Settle();
            Assert.AreEqual(2, world.Sockets.Count);
            world.Newest.Opens();
            Assert.IsNull(TokenOf(world.Newest));
        }
    }
}
