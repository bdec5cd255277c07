using System;
using System.Collections.Generic;
using System.Threading;
using NUnit.Framework;

namespace Respark.Tests
{
    [TestFixture]
    public sealed class EventLoopTests
    {
        [Test]
        public void A_client_that_has_nothing_to_do_allocates_nothing()
        {
            var world = World.Connected();
            world.AnswerToken("token-1");
            for (var warm = 0; warm < 100; warm += 1) world.Client.Update();
            var before = GC.CollectionCount(0);
            // A single object in each update would be 50 megabytes together, which is several collections.
            for (var frame = 0; frame < 2000000; frame += 1) world.Client.Update();
            Assert.AreEqual(before, GC.CollectionCount(0));
        }

        [Test]
        public void What_other_threads_post_runs_where_the_loop_is_updated_and_in_order()
        {
            var loop = new EventLoop(new FakeClock());
            var ran = new List<int>();
            var threads = new HashSet<int>();
            var poster = new Thread(() =>
            {
                for (var number = 0; number < 1000; number += 1)
                {
                    var posted = number;
                    loop.Post(() =>
                    {
                        ran.Add(posted);
                        threads.Add(Thread.CurrentThread.ManagedThreadId);
                    });
                }
            });
            poster.Start();
            poster.Join();
            Assert.IsEmpty(ran);
            loop.Update();
            CollectionAssert.IsOrdered(ran);
            Assert.AreEqual(1000, ran.Count);
            CollectionAssert.AreEqual(new[] { Thread.CurrentThread.ManagedThreadId }, threads);
        }

        [Test]
        public void What_is_posted_during_an_update_waits_for_the_next_one()
        {
            var loop = new EventLoop(new FakeClock());
            var ran = 0;
            Action again = null;
            again = () =>
            {
                ran += 1;
                loop.Post(again);
            };
            loop.Post(again);
            loop.Update();
            Assert.AreEqual(1, ran);
            loop.Update();
            Assert.AreEqual(2, ran);
        }

        [Test]
        public void A_callback_that_asks_again_at_once_each_time_does_not_keep_an_update_from_ending()
        {
            var world = new World();
            var refused = 0;
            Action<ResparkException> again = null;
            again = _ =>
            {
                refused += 1;
                world.Client.Request("T", null, response => { }, again);
            };
            again(null);
            world.Client.Update();
            Assert.That(refused, Is.InRange(2, 5000));
        }

        [Test]
        public void Timers_fire_in_the_order_of_their_times_and_one_set_for_no_time_waits_for_the_next_update()
        {
            var clock = new FakeClock();
            var loop = new EventLoop(clock);
            var fired = new List<string>();
            loop.After(20, () => fired.Add("second"));
            loop.After(10, () =>
            {
                fired.Add("first");
                loop.After(0, () => fired.Add("third"));
            });
            loop.After(15, () => fired.Add("never")).Cancel();
            clock.NowMs = 30;
            loop.Update();
            Assert.AreEqual(new[] { "first", "second" }, fired);
            loop.Update();
            Assert.AreEqual(new[] { "first", "second", "third" }, fired);
        }

        [Test]
        public void What_several_callbacks_throw_comes_together_after_all_have_run()
        {
            var loop = new EventLoop(new FakeClock());
            var ran = 0;
            loop.Post(() => { throw new InvalidOperationException("one"); });
            loop.Post(() => ran += 1);
            loop.Post(() => { throw new InvalidOperationException("two"); });
            Assert.AreEqual(2, Assert.Throws<AggregateException>(() => loop.Update()).InnerExceptions.Count);
            Assert.AreEqual(1, ran);
        }
    }
}
