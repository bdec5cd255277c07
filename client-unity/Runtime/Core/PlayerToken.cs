using System;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;

namespace Respark
{
    /// <summary>Whose token it is. A storage that serves one player only may ignore it.</summary>
    public sealed class TokenScope
    {
        internal TokenScope(string url, string gameKey, string playerId)
        {
            Url = url;
            GameKey = gameKey;
            PlayerId = playerId;
        }

        /// <summary>Where the client connects, with the path.</summary>
        public string Url { get; }

        /// <summary>Names the stage of the game; a token is valid for one stage.</summary>
        public string GameKey { get; }

        /// <summary>Whom the server named when it gave the token that is saved; null in a load.</summary>
        public string PlayerId { get; }
    }

    /// <summary>
    /// Where a player's token survives a restart. Protect it like a password: any client with it can be the player. Both
    /// methods are called on the thread that updates the client; their tasks may be completed on any.
    /// </summary>
    public interface ITokenStorage
    {
        /// <summary>
        /// Whether others save to it too, such as another process of the game. It is then loaded before each attempt, and
        /// what it holds decides which player the client is; otherwise it is loaded once.
        /// </summary>
        bool IsShared { get; }

        /// <summary>Null if nothing was saved.</summary>
        Task<string> LoadAsync(TokenScope scope);

        /// <summary>Null deletes what was saved. Never called again before the last call has been completed.</summary>
        Task SaveAsync(string token, TokenScope scope);
    }

    /// <summary>
    /// Gives the player's newest token, such as one of the game's identity provider. It is asked before each attempt; with
    /// `wasRefused` because the server has just refused what it gave, which then has expired or was never good.
    /// </summary>
    public delegate Task<string> TokenSource(bool wasRefused);

    /// <summary>
    /// The token with which the client comes back as the same player. It is loaded once, or before each attempt if the
    /// storage is shared, renewed while connected, and saved at each change. Where a source gives the tokens, it is asked
    /// instead, and nothing is renewed or saved. No method fails but <see cref="Load"/> where the source does; other
    /// failures are reported.
    /// </summary>
    internal sealed class PlayerToken
    {
        private const double RenewalRetryMs = 60000;

        /// <summary>However short-lived the tokens are, the client asks for them no more often than this.</summary>
        private const double MinRenewalMs = 1000;

        private readonly ITokenStorage storage;
        private readonly string url;
        private readonly string gameKey;
        private readonly EventLoop loop;
        private readonly Action<ResparkException> report;
        private TokenSource source;
        private string token;
        /// <summary>Whose token it is, if the server has said so.</summary>
        private string playerId;
        /// <summary>The latest load, running or done. All attempts wait for it, so that none becomes a guest after another
        /// gave up.</summary>
        private Task<bool> loading;
        private bool isLoading;
        /// <summary>Whether the token was given, so that what the storage holds does not matter.</summary>
        private bool isGiven;
        /// <summary>Whether the server has refused what the source gave, and has not accepted any since.</summary>
        private bool wasRefused;
        /// <summary>Counts how often the player was forgotten: the result of a load that ran then is ignored.</summary>
        private int forgotten;
        /// <summary>Whether the storage could be read, ever.</summary>
        private bool wasLoaded;
        /// <summary>False if the storage could not be read: it may hold another player, whom a guest must not overwrite.</summary>
        private bool maySave = true;
        private Task<bool> saving;
        /// <summary>What the storage held when it was last read or written.</summary>
        private string held;
        /// <summary>Whether the last change could not be saved: what is in memory counts then, until the storage holds
        /// something else.</summary>
        private bool isUnsaved;
        private Renewal renewal;

        internal PlayerToken(
            string token,
            TokenSource source,
            ITokenStorage storage,
            string url,
            string gameKey,
            EventLoop loop,
            Action<ResparkException> report)
        {
            this.token = token;
            this.source = source;
            this.storage = storage;
            this.url = url;
            this.gameKey = gameKey;
            this.loop = loop;
            this.report = report;
            isGiven = token != null || source != null;
        }

        /// <summary>
        /// The newest token. If the storage does not answer within the time of the first call, it counts as failed. Fails
        /// when a source fails or takes longer: nobody else may be connected in the place of its player.
        /// </summary>
        internal async Task<string> Load(double timeoutMs)
        {
            if (source != null) return await loop.Resume(Ask(source, timeoutMs));
            var isDue = loading == null || storage != null && storage.IsShared && !isLoading;
            if (isDue && !isGiven) loading = LoadStored(timeoutMs);
            if (loading != null) await loop.Resume(loading);
            return token;
        }

        /// <summary>Takes that the server has refused the token. Whether there is reason to try another one, which is once.</summary>
        internal bool Refused()
        {
            if (source == null || wasRefused) return false;
            wasRefused = true;
            return true;
        }

        /// <summary>Asks for a token of this player now, and again at half of each lifetime, until `StopRenewing`.</summary>
        internal void StartRenewing(Func<Task<JObject>> ask, string player, double lifetimeMs)
        {
            StopRenewing();
            wasRefused = false;
            if (source != null) return;
            renewal = new Renewal(ask, player, lifetimeMs);
            Renew(renewal);
        }

        internal void StopRenewing()
        {
            renewal?.Timer?.Cancel();
            renewal = null;
        }

        /// <summary>Forgets the player. Done when the storage has deleted its token too.</summary>
        internal Task Forget()
        {
            StopRenewing();
            token = null;
            source = null;
            forgotten += 1;
            isGiven = false;
            if (loading == null) loading = Task.FromResult(true);
            maySave = true;
            Save();
            return saving;
        }

        private async Task<string> Ask(TokenSource from, double timeoutMs)
        {
            var given = await loop.Resume(Within(timeoutMs, () => from(wasRefused)));
            if (!string.IsNullOrEmpty(given) && given.Length <= FrameCodec.MaxTokenLength) return given;
            throw new ResparkException($"it must give a string of 1-{FrameCodec.MaxTokenLength} characters", "token");
        }

        private async Task<string> Within(double timeoutMs, Func<Task<string>> work)
        {
            var timeout = new TaskCompletionSource<string>();
            var timer = loop.AfterDeadline(timeoutMs, _ => timeout.TrySetResult(null));
            try
            {
                var task = work();
                if (await loop.Resume(Task.WhenAny(task, timeout.Task)) == timeout.Task)
                {
                    throw new ResparkException($"no answer within {timeoutMs} ms", "timeout");
                }
                return await loop.Resume(task);
            }
            finally
            {
                timer.Cancel();
            }
        }

        private async Task<bool> LoadStored(double timeoutMs)
        {
            if (storage == null) return true;
            var before = forgotten;
            isLoading = true;
            try
            {
                var stored = await loop.Resume(Within(timeoutMs, () => storage.LoadAsync(new TokenScope(url, gameKey, null))));
                if (before == forgotten) Loaded(stored);
            }
            catch (Exception error)
            {
                if (before == forgotten) maySave = wasLoaded;
                var instead = token == null ? "connecting as a guest" : "connecting with the one in memory";
                report(new ResparkException($"the stored token could not be loaded; {instead}", "storage", error));
            }
            finally
            {
                isLoading = false;
            }
            return true;
        }

        /// <summary>A guest whose token could not be saved, because the storage could not be read, stays the player if it is
        /// empty.</summary>
        private void Loaded(string stored)
        {
            var isOutdated = (isUnsaved || IsSaving) && stored == held;
            if (!isOutdated && (stored != null || wasLoaded)) token = stored;
            held = stored;
            wasLoaded = true;
            maySave = true;
        }

        /// <summary>Never fails, so nobody waits for it.</summary>
        private async void Renew(Renewal current)
        {
            var waitMs = current.LifetimeMs / 2;
            try
            {
                var renewed = TokenIn(await loop.Resume(current.Ask()));
                if (renewal != current) return;
                token = renewed;
                playerId = current.PlayerId;
                if (maySave) Save();
            }
            catch (Exception error)
            {
                if (renewal != current) return;
                waitMs = Math.Min(waitMs, RenewalRetryMs);
                report(new ResparkException("could not get a new player token; asking again later", "token", error));
            }
            // Whoever heard of a failure, also of the storage, may have closed the client.
            if (renewal != current) return;
            current.Timer = loop.After(Math.Max(waitMs, MinRenewalMs), () => Renew(current));
        }

        private bool IsSaving => saving != null && !saving.IsCompleted;

        /// <summary>Saves the newest token, one save at a time; a token that arrives during a save is saved after it.</summary>
        private void Save()
        {
            if (IsSaving) return;
            // Set before the storage is called: whoever hears of its failure may have the player forgotten, which saves too.
            var done = new TaskCompletionSource<bool>();
            saving = done.Task;
            SaveUntilCurrent(done);
        }

        /// <summary>Never fails, so nobody waits for it.</summary>
        private async void SaveUntilCurrent(TaskCompletionSource<bool> done)
        {
            string saved;
            do
            {
                saved = token;
                try
                {
                    if (storage != null) await loop.Resume(Done(storage.SaveAsync(saved, new TokenScope(url, gameKey, playerId))));
                    held = saved;
                    isUnsaved = false;
                }
                catch (Exception error)
                {
                    isUnsaved = true;
                    report(new ResparkException("the player token could not be saved", "storage", error));
                }
            }
            while (saved != token);
            done.TrySetResult(true);
        }

        private static Task<bool> Done(Task task)
        {
            return task.ContinueWith(
                done =>
                {
                    done.GetAwaiter().GetResult();
                    return true;
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        private static string TokenIn(JObject payload)
        {
            var given = payload["AuthenticationToken"];
            var text = given != null && given.Type == JTokenType.String ? (string)given : "";
            if (text.Length > 0 && text.Length <= FrameCodec.MaxTokenLength) return text;
            var message = $"AuthenticationToken must be a string of 1-{FrameCodec.MaxTokenLength} characters";
            throw new ResparkException(message, "bad_frame");
        }

        /// <summary>The renewals on one connection.</summary>
        private sealed class Renewal
        {
            internal Renewal(Func<Task<JObject>> ask, string playerId, double lifetimeMs)
            {
                Ask = ask;
                PlayerId = playerId;
                LifetimeMs = lifetimeMs;
            }

            internal Func<Task<JObject>> Ask { get; }

            internal string PlayerId { get; }

            internal double LifetimeMs { get; }

            internal EventLoop.Timer Timer { get; set; }
        }
    }
}
