using System;
using System.Collections.Generic;
using System.Globalization;
using Newtonsoft.Json.Linq;

namespace Respark
{
    /// <summary>What the server said before it closed the connection. What it did not say is null.</summary>
    public sealed class Farewell
    {
        private Farewell()
        {
        }

        /// <summary>A code of the game's own, for its program.</summary>
        public string Reason { get; private set; }

        /// <summary>A text for the player, in the language that fits the locale best.</summary>
        public string Message { get; private set; }

        /// <summary>Until when the player is kept out.</summary>
        public DateTimeOffset? Until { get; private set; }

        /// <summary>The id of the management call that closed the connection.</summary>
        public string RequestId { get; private set; }

        /// <summary>Reads the payload of `Respark.Farewell`. What is not of the right type is left out.</summary>
        internal static Farewell Read(JObject payload, string locale)
        {
            var until = payload["until"];
            return new Farewell
            {
                Reason = TextOf(payload["reason"]),
                Message = TextOf(MessageIn(payload) ?? MessageFor(locale ?? CultureInfo.CurrentUICulture.Name, payload)),
                Until = until != null && until.Type == JTokenType.Integer ? Times.FromUnixMs((long)until) : null,
                RequestId = TextOf(payload["requestId"]),
            };
        }

        /// <summary>The one for every language; null if there is none, which JSON can say in two ways.</summary>
        private static JToken MessageIn(JObject payload)
        {
            var message = payload["message"];
            return message == null || message.Type == JTokenType.Null ? null : message;
        }

        /// <summary>The text of the locale, else of its language, else the one for all others, else in English, else the
        /// first.</summary>
        private static JToken MessageFor(string locale, JObject payload)
        {
            if (!(payload["messages"] is JObject messages)) return null;
            JToken first = null;
            var all = new Dictionary<string, JToken>(StringComparer.OrdinalIgnoreCase);
            foreach (var message in messages)
            {
                first = first ?? message.Value;
                all[message.Key] = message.Value;
            }
            foreach (var wanted in new[] { locale.Replace('_', '-'), "und", "en" })
            {
                for (var tag = wanted; tag.Length > 0; tag = tag.Substring(0, Math.Max(0, tag.LastIndexOf('-'))))
                {
                    if (all.TryGetValue(tag, out var found)) return found;
                }
            }
            return first;
        }

        private static string TextOf(JToken value)
        {
            return value != null && value.Type == JTokenType.String ? (string)value : null;
        }
    }
}
