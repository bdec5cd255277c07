using System;

namespace Respark
{
    /// <summary>
    /// The client's copy of the server's count of its frames and their bytes. The server closes a connection that sends too
    /// many of either. Its limit for all clients behind one address is the one that no client can keep count of.
    /// </summary>
    internal sealed class FrameAllowance
    {
        /// <summary>The share of a burst that messages leave unused: for heartbeats, and for a network that delivers frames
        /// at once.</summary>
        private const double ReservedShare = 0.25;

        private readonly Bucket frames;
        private readonly Bucket bytes;

        /// <summary>Must be created at the welcome, when the client has sent its hello and nothing else.</summary>
        internal FrameAllowance(Welcome welcome, int helloBytes, EventLoop loop)
        {
            frames = new Bucket(welcome.MessagesPerSecond, welcome.MessagesBurst, loop);
            bytes = new Bucket(welcome.BytesPerSecond, welcome.BytesBurst, loop);
            Take(helloBytes);
        }

        /// <summary>Counts a frame that is sent no matter how much is left.</summary>
        internal void Take(int frameBytes)
        {
            frames.Take(1);
            bytes.Take(frameBytes);
        }

        /// <summary>Counts a message and returns null; or says of what there would be too much, and counts nothing.</summary>
        internal string TryTake(int frameBytes)
        {
            if (!frames.Has(1)) return "messages";
            if (!bytes.Has(frameBytes)) return "bytes";
            Take(frameBytes);
            return null;
        }

        private sealed class Bucket
        {
            private readonly EventLoop loop;
            private readonly double ratePerMs;
            private readonly double burst;
            private readonly double reserved;
            private double left;
            private double countedAtMs;

            internal Bucket(double ratePerSecond, double burst, EventLoop loop)
            {
                this.loop = loop;
                ratePerMs = ratePerSecond / 1000;
                this.burst = burst;
                // In a burst of one frame nothing is reserved, or no message could ever be sent.
                reserved = Math.Ceiling((burst - 1) * ReservedShare);
                left = burst;
                countedAtMs = loop.NowMs;
            }

            /// <summary>Whether this much is left beside the reserved part.</summary>
            internal bool Has(int count)
            {
                Refill();
                return left - count >= reserved;
            }

            internal void Take(int count)
            {
                Refill();
                left -= count;
            }

            private void Refill()
            {
                var now = loop.NowMs;
                left = Math.Min(burst, left + (now - countedAtMs) * ratePerMs);
                countedAtMs = now;
            }
        }
    }
}
