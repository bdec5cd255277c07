using System;

namespace Respark
{
    /// <summary>
    /// Finds out that the server is gone: nothing arrived for two periods, although a heartbeat was sent that had the time
    /// to be answered. Silence alone proves nothing when the client's timers were held back, because then no heartbeat may
    /// have been sent, or its answer may lie unread; the client then asks once more, and gives up when that is not answered.
    /// </summary>
    internal sealed class Heartbeat
    {
        /// <summary>Calls of <see cref="Check"/> within this time after a heartbeat send no other.</summary>
        private const double CheckSpacingMs = 1000;

        private readonly double periodMs;
        /// <summary>How long an answer may take.</summary>
        private readonly double answerMs;
        /// <summary>How imprecise a timer may be that was not held back.</summary>
        private readonly double toleranceMs;
        private readonly EventLoop loop;
        private readonly Action send;
        private readonly Action<string, double> giveUp;
        private double receivedAtMs;
        private double sentAtMs = double.NegativeInfinity;
        /// <summary>When the oldest heartbeat was sent after which nothing arrived.</summary>
        private double? unansweredSinceMs;
        /// <summary>Whether the deadline is that of an answer, which no later check may put off.</summary>
        private bool isAsking;
        private EventLoop.Timer beat;
        private EventLoop.Timer deadline;

        /// <summary>Starts at once. `giveUp` is called at most once, and hears how long ago that could have been known.</summary>
        internal Heartbeat(double periodMs, EventLoop loop, Action send, Action<string, double> giveUp)
        {
            this.periodMs = periodMs;
            answerMs = Math.Min(periodMs, EventLoop.GraceMs);
            toleranceMs = Math.Min(periodMs / 4, EventLoop.LateMs);
            this.loop = loop;
            this.send = send;
            this.giveUp = giveUp;
            receivedAtMs = loop.NowMs;
            BeatLater();
            ExpectFrames();
        }

        /// <summary>A frame arrived, of whatever kind.</summary>
        internal void Received()
        {
            receivedAtMs = loop.NowMs;
            unansweredSinceMs = null;
        }

        /// <summary>Asks the server now, and gives up if it does not answer soon.</summary>
        internal void Check()
        {
            if (!isAsking && loop.NowMs - sentAtMs >= CheckSpacingMs) Ask();
        }

        internal void Stop()
        {
            beat.Cancel();
            deadline?.Cancel();
        }

        private void Beat()
        {
            beat.Cancel();
            sentAtMs = loop.NowMs;
            if (unansweredSinceMs == null) unansweredSinceMs = sentAtMs;
            send();
            BeatLater();
        }

        /// <summary>Heartbeats are sent whatever else is sent, because their answers prove that the server is there.</summary>
        private void BeatLater()
        {
            beat = loop.After(periodMs, Beat);
        }

        /// <summary>One timer serves any number of frames: when it fires, it checks when the latest frame arrived.</summary>
        private void ExpectFrames()
        {
            var silenceMs = 2 * periodMs;
            var dueAtMs = receivedAtMs + silenceMs;
            var leftMs = dueAtMs - loop.NowMs;
            // Only a timer that was held back comes too late for the next one.
            if (leftMs <= 0)
            {
                Ask();
                return;
            }
            deadline = loop.After(leftMs, () =>
            {
                var now = loop.NowMs;
                if (now - receivedAtMs < silenceMs) ExpectFrames();
                else if (now - dueAtMs >= toleranceMs || !HasAsked(now)) Ask();
                else giveUp($"nothing received for {silenceMs} ms", now - dueAtMs);
            });
        }

        /// <summary>Whether a heartbeat has had the time to be answered.</summary>
        private bool HasAsked(double now)
        {
            return unansweredSinceMs != null && now - unansweredSinceMs.Value >= answerMs - toleranceMs;
        }

        private void Ask()
        {
            // The heartbeat of the same wake-up of the timers will do.
            if (unansweredSinceMs == null || loop.NowMs - sentAtMs >= toleranceMs) Beat();
            var askedAtMs = sentAtMs;
            isAsking = true;
            deadline?.Cancel();
            deadline = loop.AfterDeadline(answerMs, lateMs =>
            {
                isAsking = false;
                if (receivedAtMs >= askedAtMs) ExpectFrames();
                else giveUp($"no answer to a heartbeat within {answerMs} ms", lateMs);
            });
        }
    }
}
