using System;
using System.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class BackoffTests
    {
        private static Backoff SetUp(Func<double> random, int maxRetries = int.MaxValue)
        {
            return new Backoff(new BackoffOptions { MaxRetries = maxRetries }, random);
        }

        [Test]
        public void The_bound_doubles_from_the_base_to_the_cap()
        {
            var backoff = SetUp(() => 1);
            var waits = Enumerable.Range(0, 8).Select(_ => backoff.Next()).ToArray();
            Assert.AreEqual(new double?[] { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 }, waits);
        }

        [Test]
        public void The_bound_stays_at_the_cap_however_many_attempts_fail()
        {
            var backoff = SetUp(() => 1);
            for (var attempt = 0; attempt < 5000; attempt += 1) backoff.Next();
            Assert.AreEqual(30000, backoff.Next());
        }

        [Test]
        public void Waits_are_uniform_from_0_to_the_bound()
        {
            var random = new SeededRandom(7);
            var waits = Enumerable.Range(0, 10000).Select(_ => SetUp(random.Next).Next()).ToArray();
            for (var tenth = 0; tenth < 10; tenth += 1)
            {
                var share = waits.Count(wait => wait >= tenth * 50 && wait < (tenth + 1) * 50);
                Assert.That(share, Is.InRange(850, 1150), $"of 10,000 waits in tenth {tenth}");
            }
        }

        [Test]
        public void A_hint_from_the_server_is_a_lower_bound_to_which_jitter_is_added()
        {
            var backoff = SetUp(new SeededRandom(1).Next);
            var waits = Enumerable.Range(0, 20).Select(_ => backoff.Next(60000)).ToArray();
            Assert.IsTrue(waits.All(wait => wait >= 60000 && wait <= 90000));
            Assert.AreEqual(waits.Length, waits.Distinct().Count());
        }

        [Test]
        public void Retries_run_out_and_a_reset_restores_them()
        {
            var backoff = SetUp(() => 0, 2);
            Assert.AreEqual(new double?[] { 0, 0, null }, new[] { backoff.Next(), backoff.Next(), backoff.Next() });
            backoff.Reset();
            Assert.AreEqual(0, backoff.Next());
        }

        [Test]
        public void With_no_retries_there_is_no_second_attempt()
        {
            Assert.IsNull(SetUp(() => 0, 0).Next());
        }
    }
}
