using System;

namespace Respark
{
    /// <summary>How a client waits before it connects again.</summary>
    public sealed class BackoffOptions
    {
        /// <summary>The upper bound of the first wait; it doubles with each attempt.</summary>
        public TimeSpan Base { get; set; } = TimeSpan.FromMilliseconds(500);

        /// <summary>The upper bound of every wait.</summary>
        public TimeSpan Cap { get; set; } = TimeSpan.FromSeconds(30);

        /// <summary>How many attempts in a row may fail to get a lasting connection; 0 never reconnects.</summary>
        public int MaxRetries { get; set; } = int.MaxValue;
    }

    /// <summary>
    /// Exponential back-off with full jitter: each wait is uniform between 0 and a bound that doubles. If the server gave a
    /// hint, the jitter is added to it, so that clients with the same hint still spread out.
    /// </summary>
    internal sealed class Backoff
    {
        private readonly double baseMs;
        private readonly double capMs;
        private readonly int maxRetries;
        private readonly Func<double> random;
        private int attempts;

        internal Backoff(BackoffOptions options, Func<double> random)
        {
            baseMs = options.Base.TotalMilliseconds;
            capMs = options.Cap.TotalMilliseconds;
            maxRetries = options.MaxRetries;
            this.random = random;
        }

        /// <summary>How long to wait before the next attempt, in milliseconds; null if there is to be none.</summary>
        internal double? Next(double retryAfterMs = 0)
        {
            if (attempts >= maxRetries) return null;
            var boundMs = Math.Min(capMs, baseMs * Math.Pow(2, attempts));
            attempts += 1;
            return retryAfterMs + random() * boundMs;
        }

        internal void Reset()
        {
            attempts = 0;
        }
    }
}
