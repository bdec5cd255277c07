using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class HeartbeatTests
    {
        private const double PeriodMs = 20000;

        private Ticker ticker;
        private Heartbeat heartbeat;
        private List<double> sent;
        private List<string> ends;
        private Queue<double> arrivals;
        private double? answersAfterMs;

        private void Begin(double periodMs = PeriodMs, double wakeMs = 0)
        {
            ticker = new Ticker(wakeMs);
            sent = new List<double>();
            ends = new List<string>();
            arrivals = new Queue<double>();
            answersAfterMs = null;
            heartbeat = new Heartbeat(
                periodMs,
                ticker.Loop,
                () =>
                {
                    sent.Add(ticker.NowMs);
                    // Frames arrive whatever becomes of timers.
                    if (answersAfterMs != null) arrivals.Enqueue(ticker.NowMs + answersAfterMs.Value);
                },
                (reason, lateMs) =>
                {
                    ends.Add($"{reason}, at {ticker.NowMs}, late by {lateMs}");
                    heartbeat.Stop();
                });
        }

        /// <summary>Lets time pass; answers arrive between the timers, as far as the server gives any.</summary>
        private void Pass(double forMs, double stepMs = 1000)
        {
            for (double passedMs = 0; passedMs < forMs; passedMs += stepMs)
            {
                ticker.Advance(stepMs);
                while (arrivals.Count > 0 && arrivals.Peek() <= ticker.NowMs)
                {
                    arrivals.Dequeue();
                    heartbeat.Received();
                }
            }
        }

        [Test]
        public void Timers_that_fire_once_a_minute_do_not_end_a_connection_whose_server_answers()
        {
            Begin(wakeMs: 60000);
            answersAfterMs = 100;
            Pass(3600000);
            Assert.IsEmpty(ends);
            Assert.AreEqual(60, sent.Count, "one heartbeat a wake-up");
        }

        [Test]
        public void Nor_one_that_the_server_answers_slowly()
        {
            Begin(wakeMs: 60000);
            answersAfterMs = 9000;
            Pass(3600000);
            Assert.IsEmpty(ends);
        }

        [Test]
        public void They_still_find_out_in_three_minutes_that_the_server_is_gone_and_how_long_ago_it_could_have_been_known()
        {
            Begin(wakeMs: 60000);
            answersAfterMs = 100;
            Pass(600000);
            answersAfterMs = null;
            Pass(300000);
            Assert.AreEqual(new[] { "no answer to a heartbeat within 5000 ms, at 780000, late by 115000" }, ends);
        }

        [TestCase(100)]
        [TestCase(1000)]
        [TestCase(5000)]
        [TestCase(20000)]
        [TestCase(120000)]
        public void Timers_that_fire_every_third_period_do_not_end_a_living_connection(double periodMs)
        {
            Begin(periodMs, 3 * periodMs);
            answersAfterMs = periodMs / 20;
            Pass(300 * periodMs, periodMs / 20);
            Assert.IsEmpty(ends);
        }

        [Test]
        public void After_a_sleep_the_server_is_asked_once_more_and_its_answer_keeps_the_connection()
        {
            Begin();
            answersAfterMs = 100;
            Pass(30000);
            ticker.Sleep(3600000);
            Pass(60000);
            Assert.IsEmpty(ends);
            Assert.AreEqual(new double[] { 20000, 3630000, 3650000, 3670000, 3690000 }, sent);
        }

        [Test]
        public void A_heartbeat_from_before_a_sleep_proves_nothing_because_its_answer_may_lie_unread()
        {
            Begin();
            Pass(20000);
            answersAfterMs = 100;
            ticker.Sleep(3600000);
            Pass(60000);
            Assert.IsEmpty(ends);
        }

        [Test]
        public void After_a_sleep_a_server_that_is_gone_has_five_seconds()
        {
            Begin();
            Pass(30000);
            ticker.Sleep(3600000);
            Pass(60000);
            Assert.AreEqual(new[] { "no answer to a heartbeat within 5000 ms, at 3635000, late by 0" }, ends);
        }

        [Test]
        public void A_heartbeat_that_a_busy_thread_sent_late_has_the_time_to_be_answered_though_the_deadline_fires_in_time()
        {
            Begin();
            answersAfterMs = 1500;
            Pass(19000);
            ticker.Sleep(20500);
            Pass(60000, 500);
            Assert.IsEmpty(ends);
        }

        [Test]
        public void And_so_has_one_after_others_that_were_answered()
        {
            Begin();
            answersAfterMs = 1500;
            Pass(39000);
            ticker.Sleep(22000);
            Pass(60000, 500);
            Assert.IsEmpty(ends);
        }

        [Test]
        public void A_server_that_is_silent_for_two_periods_has_no_time_more_when_the_timers_fire_as_they_should()
        {
            Begin();
            Pass(60000);
            Assert.AreEqual(new[] { "nothing received for 40000 ms, at 40000, late by 0" }, ends);
            Assert.AreEqual(new double[] { 20000 }, sent);
        }

        [Test]
        public void Check_sends_a_heartbeat_at_once_and_gives_the_server_five_seconds()
        {
            Begin();
            Pass(7000);
            heartbeat.Check();
            Assert.AreEqual(new double[] { 7000 }, sent);
            Pass(10000);
            Assert.AreEqual(new[] { "no answer to a heartbeat within 5000 ms, at 12000, late by 0" }, ends);
        }

        [Test]
        public void Check_changes_nothing_when_the_server_answers()
        {
            Begin();
            answersAfterMs = 100;
            Pass(7000);
            heartbeat.Check();
            Pass(60000);
            Assert.IsEmpty(ends);
            Assert.AreEqual(new double[] { 7000, 27000, 47000, 67000 }, sent);
            heartbeat.Stop();
            Assert.AreEqual(0, ticker.Timers);
        }

        [Test]
        public void Check_called_all_the_time_sends_no_flood_and_puts_off_no_end()
        {
            Begin();
            Pass(7000);
            for (var call = 0; call < 200 && !ends.Any(); call += 1)
            {
                heartbeat.Check();
                Pass(100, 100);
            }
            Assert.AreEqual(new[] { "no answer to a heartbeat within 5000 ms, at 12000, late by 0" }, ends);
            Assert.AreEqual(new double[] { 7000 }, sent);
        }

        [Test]
        public void Check_called_all_the_time_sends_at_most_one_heartbeat_a_second_to_a_server_that_answers()
        {
            Begin();
            answersAfterMs = 0;
            for (var call = 0; call < 1000; call += 1)
            {
                heartbeat.Check();
                Pass(10, 10);
            }
            Assert.LessOrEqual(sent.Count, 10);
            Assert.IsEmpty(ends);
        }
    }
}
