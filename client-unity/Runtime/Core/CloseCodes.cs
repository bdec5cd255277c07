using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Respark
{
    /// <summary>What a client does by itself after a close: reconnect with back-off, or stop and leave it to the player.</summary>
    public enum Verdict
    {
        Reconnect,
        Stop,
    }

    /// <summary>How a connection, or an attempt to open one, ended.</summary>
    public sealed class Closure
    {
        internal Closure(int closeCode, string reason, string ifEmpty = "no reason given")
        {
            var read = CloseReason.Read(reason);
            CloseCode = closeCode;
            Name = CloseCodes.FindName(closeCode);
            Reason = read.Text.Length > 0 ? read.Text : ifEmpty;
            Verdict = CloseCodes.VerdictOf(closeCode);
            RetryAfterMs = read.RetryAfterMs;
            Until = read.Until;
            RequestId = read.RequestId;
        }

        internal static Closure ByClient { get; } = new Closure(CloseCodes.Normal, "closed by this client");

        internal static Closure NotConnected { get; } = new Closure(CloseCodes.Abnormal, "not connected");

        /// <summary>The close code; 1006 if there was no close frame.</summary>
        public int CloseCode { get; }

        /// <summary>The code's name, such as `draining`; null if the protocol's table does not have it.</summary>
        public string Name { get; }

        public string Reason { get; }

        public Verdict Verdict { get; }

        /// <summary>How long to wait at least before reconnecting, from the close.</summary>
        public int? RetryAfterMs { get; }

        /// <summary>When what keeps the player out ends; without it, nobody knows.</summary>
        public DateTimeOffset? Until { get; }

        /// <summary>The id of the management call that closed the connection; quote it to the operator.</summary>
        public string RequestId { get; }

        /// <summary>What the server said before it closed the connection; null if it said nothing.</summary>
        public Farewell Farewell { get; private set; }

        internal Closure With(Farewell farewell)
        {
            var closure = (Closure)MemberwiseClone();
            closure.Farewell = farewell;
            return closure;
        }

        public override string ToString()
        {
            return $"{Reason} ({CloseCode})";
        }
    }

    /// <summary>The table of the protocol. A code never changes number or verdict.</summary>
    internal static class CloseCodes
    {
        internal const int Normal = 1000;
        internal const int NoStatus = 1005;
        internal const int Abnormal = 1006;
        internal const int TokenRefused = 4503;
        internal const int ProtocolError = 4504;

        private static readonly Dictionary<int, string> Names = new Dictionary<int, string>
        {
            [Normal] = "normal",
            [1001] = "going_away",
            [1002] = "protocol_fault",
            [1003] = "unsupported_data",
            [NoStatus] = "no_status",
            [Abnormal] = "abnormal",
            [1007] = "invalid_text",
            [1008] = "policy_violation",
            [1009] = "message_too_big",
            [1010] = "missing_extension",
            [1011] = "server_error",
            [1012] = "service_restart",
            [1013] = "try_again_later",
            [1014] = "bad_gateway",
            [1015] = "tls_failure",
            [4000] = "draining",
            [4001] = "slow_consumer",
            [4002] = "heartbeat_missed",
            [4003] = "node_fenced",
            [4004] = "node_full",
            [4005] = "too_many_messages",
            [4006] = "player_maybe_full",
            [4007] = "maintenance",
            [4500] = "disconnected",
            [4501] = "bad_hello",
            [4502] = "unknown_game_key",
            [TokenRefused] = "token_refused",
            [ProtocolError] = "protocol_error",
            [4506] = "player_full",
            [4507] = "stage_deleted",
            [4508] = "origin_refused",
            [4509] = "replaced",
            [4510] = "blocked",
        };

        /// <summary>Those below 4000 after which a client stops; of Respark's own codes, the number says it.</summary>
        private static readonly HashSet<int> Stops = new HashSet<int> { Normal, 1002, 1003, 1007, 1008, 1009, 1010 };

        internal static IReadOnlyDictionary<int, string> All => Names;

        internal static string FindName(int code)
        {
            return Names.TryGetValue(code, out var name) ? name : null;
        }

        /// <summary>
        /// What to do after any code. Outside of Respark's ranges and the table that is reconnect: a proxy may close with
        /// any code, and backing off is better than giving up for good.
        /// </summary>
        internal static Verdict VerdictOf(int code)
        {
            return Stops.Contains(code) || code >= 4500 && code <= 4999 ? Verdict.Stop : Verdict.Reconnect;
        }
    }

    /// <summary>What a close reason says: a text for people, then facts. Unknown and malformed facts are left out.</summary>
    internal struct CloseReason
    {
        internal const int MaxRetryAfterMs = 3600000;
        private const int MaxLength = 123;
        private const long MaxUntilMs = 8640000000000000;

        private static readonly Regex FactsBegin = new Regex("; ?(?=[a-zA-Z]+=)");
        private static readonly Regex RequestIdForm = new Regex(@"\A[A-Za-z0-9_-]{1,64}\z");

        internal string Text { get; private set; }

        internal int? RetryAfterMs { get; private set; }

        internal DateTimeOffset? Until { get; private set; }

        internal string RequestId { get; private set; }

        internal static CloseReason Read(string reason)
        {
            var segments = FactsBegin.Split(reason.Length > MaxLength ? reason.Substring(0, MaxLength) : reason);
            var read = new CloseReason { Text = segments[0] };
            for (var at = 1; at < segments.Length; at += 1)
            {
                var equals = segments[at].IndexOf('=');
                var value = segments[at].Substring(equals + 1);
                // The last of several facts of one name counts, even where it is malformed.
                switch (segments[at].Substring(0, equals))
                {
                    case "retryAfterMs":
                        read.RetryAfterMs = (int?)Number(value, 15, long.MaxValue, MaxRetryAfterMs);
                        break;
                    case "until":
                        read.Until = Times.FromUnixMs(Number(value, 16, MaxUntilMs, MaxUntilMs));
                        break;
                    case "requestId":
                        read.RequestId = RequestIdForm.IsMatch(value) ? value : null;
                        break;
                }
            }
            return read;
        }

        private static long? Number(string digits, int maxDigits, long max, long cap)
        {
            if (digits.Length > maxDigits) return null;
            if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value)) return null;
            return value <= max ? Math.Min(value, cap) : (long?)null;
        }
    }

    internal static class Times
    {
        /// <summary>A time after the year 9999, which a DateTimeOffset cannot hold, is the last one that it can.</summary>
        internal static DateTimeOffset? FromUnixMs(long? ms)
        {
            if (ms == null || ms < 0) return null;
            var last = DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();
            return DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(ms.Value, last));
        }
    }
}
