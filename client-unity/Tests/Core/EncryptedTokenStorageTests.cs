using System;
using System.Linq;
using System.Text;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class EncryptedTokenStorageTests
    {
        private const string Token = "eyJhbGciOi.hé 👋";

        private static readonly TokenScope Scope = new TokenScope("ws://test/connect", "key", null);

        private string kept;

        private EncryptedTokenStorage SetUp(string secret = "a secret of the machine")
        {
            var inner = new FakeStorage { Load = () => System.Threading.Tasks.Task.FromResult(kept) };
            inner.Save = saved =>
            {
                kept = saved;
                return System.Threading.Tasks.Task.FromResult(true);
            };
            return new EncryptedTokenStorage(inner, Encoding.UTF8.GetBytes(secret));
        }

        private string Load(string secret = "a secret of the machine")
        {
            return SetUp(secret).LoadAsync(Scope).Result;
        }

        [Test]
        public void A_token_comes_back_after_a_restart_and_is_not_to_be_seen_meanwhile()
        {
            SetUp().SaveAsync(Token, Scope).Wait();
            Assert.AreEqual(Token, Load());
            var seen = Encoding.UTF8.GetString(Convert.FromBase64String(kept));
            Assert.IsFalse(kept.Contains("eyJ") || seen.Contains("eyJ"));
            var before = kept;
            SetUp().SaveAsync(Token, Scope).Wait();
            Assert.AreNotEqual(before, kept);
        }

        [Test]
        public void A_player_who_is_forgotten_leaves_nothing()
        {
            SetUp().SaveAsync(Token, Scope).Wait();
            SetUp().SaveAsync(null, Scope).Wait();
            Assert.IsNull(kept);
            Assert.IsNull(Load());
        }

        [Test]
        public void With_another_secret_or_any_other_byte_there_is_no_token()
        {
            SetUp().SaveAsync(Token, Scope).Wait();
            Assert.IsNull(Load("the secret of another"));
            var whole = Convert.FromBase64String(kept);
            for (var at = 0; at < whole.Length; at += 1)
            {
                var changed = whole.ToArray();
                changed[at] ^= 1;
                kept = Convert.ToBase64String(changed);
                Assert.IsNull(Load(), $"byte {at}");
                kept = Convert.ToBase64String(whole.Take(at).ToArray());
                Assert.IsNull(Load(), $"{at} bytes");
            }
            kept = "a token from before it was encrypted";
            Assert.IsNull(Load());
        }

        [Test]
        public void A_short_secret_is_refused()
        {
            Assert.Throws<ArgumentException>(() => SetUp("short"));
        }
    }
}
