using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Threading;
using System.Threading.Tasks;

namespace Respark
{
    /// <summary>The only source of time of a client; tests pass one that they move themselves.</summary>
    public interface IClock
    {
        /// <summary>Milliseconds that never jump or run backwards.</summary>
        double NowMs { get; }
    }

    /// <summary>The time of the machine. On some phones it stands still while they sleep.</summary>
    public sealed class SystemClock : IClock
    {
        private readonly Stopwatch watch = Stopwatch.StartNew();

        public double NowMs => watch.Elapsed.TotalMilliseconds;
    }

    /// <summary>
    /// Runs everything of a client on the thread that calls <see cref="Update"/>, and nothing anywhere else: what other
    /// threads post, timers, and what waits for tasks. While nothing happens, an update allocates nothing.
    /// </summary>
    public sealed class EventLoop
    {
        /// <summary>A timer that fires this much after its time was held back: by a paused app, a sleeping machine or a
        /// busy thread.</summary>
        internal const double LateMs = 200;

        /// <summary>How much longer the client waits, at most, when a timer was held back.</summary>
        internal const double GraceMs = 5000;

        /// <summary>A callback that asks again at once each time it is answered must not keep a frame from ending.</summary>
        private const int MaxFollowUps = 1000;

        private readonly IClock clock;
        private readonly ConcurrentQueue<Action> posted = new ConcurrentQueue<Action>();
        private readonly Queue<Action> followUps = new Queue<Action>();
        /// <summary>By due time, and by age where that is the same.</summary>
        private readonly List<Timer> timers = new List<Timer>();
        private List<Exception> uncaught;
        private long timersSet;

        public EventLoop(IClock clock)
        {
            this.clock = clock;
        }

        internal double NowMs => clock.NowMs;

        internal int Timers => timers.Count;

        /// <summary>When the next timer is due; infinite if there is none.</summary>
        internal double NextDueMs => timers.Count == 0 ? double.PositiveInfinity : timers[0].DueMs;

        /// <summary>Has <paramref name="task"/> run by the next update. May be called on any thread.</summary>
        public void Post(Action task)
        {
            posted.Enqueue(task);
        }

        /// <summary>
        /// Runs what is due. What callbacks of the application threw is thrown again at the end, when everything else has
        /// been done.
        /// </summary>
        public void Update()
        {
            RunPosted();
            FireTimers();
            Rethrow();
        }

        internal void RunPosted()
        {
            RunFollowUps();
            if (posted.IsEmpty) return;
            // What is posted meanwhile waits for the next update, so that a busy network cannot keep a frame from ending.
            for (var left = posted.Count; left > 0 && posted.TryDequeue(out var task); left -= 1) Run(task);
        }

        internal void FireTimers()
        {
            var now = NowMs;
            if (NextDueMs > now) return;
            // A timer that is set by another one, even for no time at all, waits for the next update.
            var newest = timersSet;
            for (var at = 0; at < timers.Count && timers[at].DueMs <= now;)
            {
                var timer = timers[at];
                if (timer.Number > newest)
                {
                    at += 1;
                    continue;
                }
                timers.RemoveAt(at);
                Run(timer.Task);
                at = 0;
            }
        }

        internal void Rethrow()
        {
            if (uncaught == null) return;
            var all = uncaught;
            uncaught = null;
            if (all.Count == 1) ExceptionDispatchInfo.Capture(all[0]).Throw();
            throw new AggregateException(all);
        }

        /// <summary>Has a task run after the one that runs now, before anything that is yet to be received.</summary>
        internal void Soon(Action task)
        {
            followUps.Enqueue(task);
        }

        /// <summary>Calls what belongs to the application: an exception there must not leave the caller half done.</summary>
        internal void Call<T>(Action<T> callback, T argument)
        {
            try
            {
                callback(argument);
            }
            catch (Exception error)
            {
                Keep(error);
            }
        }

        /// <summary>Runs a task once after a delay, unless the timer is cancelled before.</summary>
        internal Timer After(double delayMs, Action task)
        {
            var timer = new Timer(this);
            Set(timer, delayMs, task);
            return timer;
        }

        /// <summary>
        /// Runs a task unless what the caller waits for comes within the delay and cancels the timer. A timer that fires
        /// late proves nothing, because what it waits for may lie unread: it is then set once more, for
        /// <see cref="GraceMs"/> at most. The task gets to know how long after the deadline it runs.
        /// </summary>
        internal Timer AfterDeadline(double delayMs, Action<double> task)
        {
            var dueMs = NowMs + delayMs;
            var timer = new Timer(this);
            Set(timer, delayMs, () =>
            {
                var lateMs = Math.Max(0, NowMs - dueMs);
                if (lateMs < LateMs) task(lateMs);
                else Set(timer, Math.Min(delayMs, GraceMs), () => task(Math.Max(0, NowMs - dueMs)));
            });
            return timer;
        }

        /// <summary>Continues an async method on this loop, whatever thread has completed the task.</summary>
        internal Resumption<T> Resume<T>(Task<T> task)
        {
            return new Resumption<T>(this, task);
        }

        private void Set(Timer timer, double delayMs, Action task)
        {
            timersSet += 1;
            timer.Arm(NowMs + delayMs, timersSet, task);
            var at = timers.Count;
            while (at > 0 && timers[at - 1].DueMs > timer.DueMs) at -= 1;
            timers.Insert(at, timer);
        }

        private void Run(Action task)
        {
            Try(task);
            RunFollowUps();
        }

        private void RunFollowUps()
        {
            for (var left = MaxFollowUps; left > 0 && followUps.Count > 0; left -= 1) Try(followUps.Dequeue());
        }

        private void Try(Action task)
        {
            try
            {
                task();
            }
            catch (Exception error)
            {
                Keep(error);
            }
        }

        private void Keep(Exception error)
        {
            if (uncaught == null) uncaught = new List<Exception>();
            uncaught.Add(error);
        }

        internal sealed class Timer
        {
            private readonly EventLoop loop;

            internal Timer(EventLoop loop)
            {
                this.loop = loop;
            }

            internal double DueMs { get; private set; }

            internal long Number { get; private set; }

            internal Action Task { get; private set; }

            internal void Arm(double dueMs, long number, Action task)
            {
                DueMs = dueMs;
                Number = number;
                Task = task;
            }

            /// <summary>May be called again, and after the timer has fired.</summary>
            internal void Cancel()
            {
                loop.timers.Remove(this);
            }
        }

        /// <summary>What `await` needs: it never looks for a synchronization context, and never goes to another thread.</summary>
        internal struct Resumption<T> : ICriticalNotifyCompletion
        {
            private readonly EventLoop loop;
            private readonly Task<T> task;

            internal Resumption(EventLoop loop, Task<T> task)
            {
                this.loop = loop;
                this.task = task;
            }

            public bool IsCompleted => false;

            public Resumption<T> GetAwaiter()
            {
                return this;
            }

            public T GetResult()
            {
                return task.GetAwaiter().GetResult();
            }

            public void OnCompleted(Action continuation)
            {
                UnsafeOnCompleted(continuation);
            }

            public void UnsafeOnCompleted(Action continuation)
            {
                if (task.IsCompleted)
                {
                    loop.Soon(continuation);
                    return;
                }
                var target = loop;
                task.ContinueWith(
                    _ => target.Post(continuation),
                    CancellationToken.None,
                    TaskContinuationOptions.ExecuteSynchronously,
                    TaskScheduler.Default);
            }
        }
    }
}
