using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Respark
{
    /// <summary>The player and the id of a connection, and what the server allows on it.</summary>
    public sealed class Welcome
    {
        public string PlayerId { get; internal set; }

        public string ConnectionId { get; internal set; }

        public long HeartbeatMs { get; internal set; }

        public long MaxFrameBytes { get; internal set; }

        public long MessagesPerSecond { get; internal set; }

        public long MessagesBurst { get; internal set; }

        public long BytesPerSecond { get; internal set; }

        public long BytesBurst { get; internal set; }

        public long MaxRequestsInFlight { get; internal set; }

        public long TokenLifetimeMs { get; internal set; }
    }

    internal enum FrameKind
    {
        Hello,
        Request,
        Event,
        Heartbeat,
        Welcome,
        Response,
        Error,
        Notification,
    }

    /// <summary>One message of respark.v1. A member that its kind does not have, or that was left out, is null.</summary>
    internal sealed class Frame
    {
        /// <summary>Both sides send the same one.</summary>
        internal static readonly Frame Heartbeat = new Frame(FrameKind.Heartbeat);

        internal Frame(FrameKind kind)
        {
            Kind = kind;
        }

        internal FrameKind Kind { get; }

        internal string GameKey { get; set; }

        internal string Token { get; set; }

        internal string Id { get; set; }

        internal string Type { get; set; }

        internal string Code { get; set; }

        internal string Message { get; set; }

        internal JObject Payload { get; set; }

        internal Welcome Welcome { get; set; }
    }

    /// <summary>Turns frames into texts and back.</summary>
    internal static class FrameCodec
    {
        internal const string Subprotocol = "respark.v1";
        internal const string ConnectPath = "/connect";
        internal const string GetPlayerToken = "GameSparks.Identity.GetPlayerToken";
        internal const string Farewell = "Respark.Farewell";
        // Lengths are in Unicode code points, so that all languages count alike.
        internal const int MaxGameKeyLength = 44;
        internal const int MaxTokenLength = 4096;
        internal const int MaxPlayerIdLength = 44;
        internal const int MaxConnectionIdLength = 36;
        internal const int MaxIdLength = 64;
        internal const int MaxTypeLength = 128;
        internal const int MaxCodeLength = 64;
        internal const int MaxMessageLength = 1024;
        internal const int MaxPayloadDepth = 32;
        /// <summary>The frame, its payload, and one level that a payload must not have.</summary>
        private const int KeptLevels = 1 + MaxPayloadDepth + 1;

        private static readonly Dictionary<string, FrameKind> FromClient = Kinds(
            FrameKind.Hello, FrameKind.Request, FrameKind.Event, FrameKind.Heartbeat);

        private static readonly Dictionary<string, FrameKind> FromServer = Kinds(
            FrameKind.Welcome, FrameKind.Response, FrameKind.Error, FrameKind.Notification, FrameKind.Heartbeat);

        /// <summary>Reads what a client sent; returns null and one short line about the fault if it is not allowed.</summary>
        internal static Frame DecodeFromClient(string text, out string fault)
        {
            return Decode(text, FromClient, out fault);
        }

        /// <summary>Reads what a server sent; returns null and one short line about the fault if it is not allowed.</summary>
        internal static Frame DecodeFromServer(string text, out string fault)
        {
            return Decode(text, FromServer, out fault);
        }

        internal static string Encode(Frame frame)
        {
            var text = new StringWriter(CultureInfo.InvariantCulture);
            using (var writer = new JsonTextWriter(text))
            {
                // What JSON cannot hold is then refused by whoever reads the text, rather than changed into a string.
                writer.FloatFormatHandling = FloatFormatHandling.Symbol;
                writer.WriteStartObject();
                Write(writer, "kind", NameOf(frame.Kind));
                Write(writer, "gameKey", frame.GameKey);
                Write(writer, "token", frame.Token);
                Write(writer, "id", frame.Id);
                Write(writer, "type", frame.Type);
                Write(writer, "code", frame.Code);
                Write(writer, "message", frame.Message);
                if (frame.Welcome != null) Write(writer, frame.Welcome);
                if (frame.Payload != null)
                {
                    writer.WritePropertyName("payload");
                    frame.Payload.WriteTo(writer);
                }
                writer.WriteEndObject();
            }
            return Json.EscapeHalves(text.ToString());
        }

        private static void Write(JsonWriter writer, string name, string value)
        {
            if (value == null) return;
            writer.WritePropertyName(name);
            writer.WriteValue(value);
        }

        private static void Write(JsonWriter writer, Welcome welcome)
        {
            Write(writer, "playerId", welcome.PlayerId);
            Write(writer, "connectionId", welcome.ConnectionId);
            Write(writer, "heartbeatMs", welcome.HeartbeatMs);
            Write(writer, "maxFrameBytes", welcome.MaxFrameBytes);
            Write(writer, "messagesPerSecond", welcome.MessagesPerSecond);
            Write(writer, "messagesBurst", welcome.MessagesBurst);
            Write(writer, "bytesPerSecond", welcome.BytesPerSecond);
            Write(writer, "bytesBurst", welcome.BytesBurst);
            Write(writer, "maxRequestsInFlight", welcome.MaxRequestsInFlight);
            Write(writer, "tokenLifetimeMs", welcome.TokenLifetimeMs);
        }

        private static void Write(JsonWriter writer, string name, long value)
        {
            writer.WritePropertyName(name);
            writer.WriteValue(value);
        }

        private static Dictionary<string, FrameKind> Kinds(params FrameKind[] kinds)
        {
            var byName = new Dictionary<string, FrameKind>(StringComparer.Ordinal);
            foreach (var kind in kinds) byName.Add(NameOf(kind), kind);
            return byName;
        }

        private static string NameOf(FrameKind kind)
        {
            switch (kind)
            {
                case FrameKind.Hello: return "hello";
                case FrameKind.Request: return "request";
                case FrameKind.Event: return "event";
                case FrameKind.Heartbeat: return "heartbeat";
                case FrameKind.Welcome: return "welcome";
                case FrameKind.Response: return "response";
                case FrameKind.Error: return "error";
                case FrameKind.Notification: return "notification";
                default: throw new ArgumentOutOfRangeException(nameof(kind));
            }
        }

        private static Frame Decode(string text, Dictionary<string, FrameKind> kinds, out string fault)
        {
            var value = Json.TryRead(text, KeptLevels);
            if (value == null)
            {
                fault = $"a frame must be JSON, got {Shown(new JValue(text))}";
                return null;
            }
            if (!(value is JObject values))
            {
                fault = $"a frame must be a JSON object, got {Shown(value)}";
                return null;
            }
            if (!TextOf(values["kind"], out var name) || !kinds.TryGetValue(name, out var kind))
            {
                fault = $"kind must be one of {string.Join(", ", kinds.Keys)}, got {Shown(values["kind"])}";
                return null;
            }
            var members = new Members(values);
            var frame = members.Read(kind);
            fault = members.Fault;
            return fault == null ? frame : null;
        }

        private static bool TextOf(JToken token, out string text)
        {
            text = token != null && token.Type == JTokenType.String ? (string)token : null;
            return text != null;
        }

        private static string Shown(JToken value)
        {
            if (value == null) return "nothing";
            switch (value.Type)
            {
                case JTokenType.Array: return "an array";
                case JTokenType.Object: return "an object";
                case JTokenType.String: return Shown((string)value);
                case JTokenType.Boolean: return (bool)value ? "true" : "false";
                case JTokenType.Null: return "null";
                default: return Convert.ToString(((JValue)value).Value, CultureInfo.InvariantCulture);
            }
        }

        /// <summary>At most 32 characters, and no character that a terminal or a reader of logs would act on.</summary>
        private static string Shown(string text)
        {
            var shown = new StringBuilder("\"");
            var at = 0;
            for (var characters = 0; at < text.Length && characters < 32; characters += 1)
            {
                var length = char.IsSurrogatePair(text, at) ? 2 : 1;
                var category = CharUnicodeInfo.GetUnicodeCategory(text, at);
                if (text[at] == '"' || text[at] == '\\') shown.Append('\\').Append(text[at]);
                else if (category == UnicodeCategory.Control || category == UnicodeCategory.Format
                    || category == UnicodeCategory.Surrogate || category == UnicodeCategory.LineSeparator
                    || category == UnicodeCategory.ParagraphSeparator)
                {
                    var point = length == 2 ? char.ConvertToUtf32(text, at) : text[at];
                    shown.Append("\\u{").Append(point.ToString("x", CultureInfo.InvariantCulture)).Append('}');
                }
                else shown.Append(text, at, length);
                at += length;
            }
            return shown.Append(at < text.Length ? "…\"" : "\"").ToString();
        }

        /// <summary>Reads members one by one and keeps the first fault. What it returns after a fault is never used.</summary>
        private sealed class Members
        {
            private readonly JObject values;

            internal Members(JObject values)
            {
                this.values = values;
            }

            internal string Fault { get; private set; }

            internal Frame Read(FrameKind kind)
            {
                switch (kind)
                {
                    case FrameKind.Hello:
                        return new Frame(kind)
                        {
                            GameKey = Text("gameKey", MaxGameKeyLength),
                            Token = OptionalText("token", MaxTokenLength),
                        };
                    case FrameKind.Request:
                        return new Frame(kind) { Id = Text("id", MaxIdLength), Type = Text("type", MaxTypeLength), Payload = Payload() };
                    case FrameKind.Event:
                    case FrameKind.Notification:
                        return new Frame(kind) { Type = Text("type", MaxTypeLength), Payload = Payload() };
                    case FrameKind.Response:
                        return new Frame(kind) { Id = Text("id", MaxIdLength), Payload = Payload() };
                    case FrameKind.Error:
                        return new Frame(kind)
                        {
                            Id = OptionalText("id", MaxIdLength),
                            Code = Text("code", MaxCodeLength),
                            Message = Text("message", MaxMessageLength),
                        };
                    case FrameKind.Welcome:
                        return new Frame(kind) { Welcome = Welcome() };
                    default:
                        return Frame.Heartbeat;
                }
            }

            private Welcome Welcome()
            {
                return new Welcome
                {
                    PlayerId = PlayerId(),
                    ConnectionId = Text("connectionId", MaxConnectionIdLength),
                    HeartbeatMs = PositiveInteger("heartbeatMs"),
                    MaxFrameBytes = PositiveInteger("maxFrameBytes"),
                    MessagesPerSecond = PositiveInteger("messagesPerSecond"),
                    MessagesBurst = PositiveInteger("messagesBurst"),
                    BytesPerSecond = PositiveInteger("bytesPerSecond"),
                    BytesBurst = PositiveInteger("bytesBurst"),
                    MaxRequestsInFlight = PositiveInteger("maxRequestsInFlight"),
                    TokenLifetimeMs = PositiveInteger("tokenLifetimeMs"),
                };
            }

            private string OptionalText(string name, int maxLength)
            {
                return values[name] == null ? null : Text(name, maxLength);
            }

            private string Text(string name, int maxLength)
            {
                var value = values[name];
                if (TextOf(value, out var text) && text.Length > 0 && IsWellFormed(text, maxLength)) return text;
                Refuse(name, $"a well-formed string of 1-{maxLength} characters", value);
                return "";
            }

            private string PlayerId()
            {
                var text = Text("playerId", MaxPlayerIdLength);
                foreach (var unit in text)
                {
                    var isAllowed = unit >= 'a' && unit <= 'z' || unit >= 'A' && unit <= 'Z' || unit >= '0' && unit <= '9'
                        || unit == '_' || unit == '-';
                    if (!isAllowed) Refuse("playerId", "letters, digits, \"_\" and \"-\"", values["playerId"]);
                }
                return text;
            }

            private long PositiveInteger(string name)
            {
                const long Max = (1L << 53) - 1;
                var value = values[name];
                if (value != null && value.Type == JTokenType.Integer)
                {
                    var integer = (long)value;
                    if (integer > 0 && integer <= Max) return integer;
                }
                else if (value != null && value.Type == JTokenType.Float)
                {
                    var number = (double)value;
                    if (number > 0 && number <= Max && Math.Floor(number) == number) return (long)number;
                }
                Refuse(name, $"an integer from 1 to {Max}", value);
                return 0;
            }

            private JObject Payload()
            {
                var value = values["payload"];
                if (value == null) return new JObject();
                if (value is JObject payload)
                {
                    if (Fault == null) Fault = FaultInside(payload, 1);
                    // On its own, it is the root of what the application gets.
                    payload.Parent.Remove();
                    return payload;
                }
                Refuse("payload", "a JSON object", value);
                return new JObject();
            }

            private void Refuse(string name, string expected, JToken value)
            {
                if (Fault == null) Fault = $"{name} must be {expected}, got {Shown(value)}";
            }
        }

        /// <summary>The first fault in a payload. A number beyond a double is one.</summary>
        private static string FaultInside(JContainer value, int depth)
        {
            if (depth > MaxPayloadDepth) return $"payload must nest at most {MaxPayloadDepth} levels";
            foreach (var child in value.Children())
            {
                var inner = child is JProperty property ? property.Value : child;
                if (inner is JContainer container)
                {
                    var fault = FaultInside(container, depth + 1);
                    if (fault != null) return fault;
                }
                else if (inner.Type == JTokenType.Float && IsInfinite(((JValue)inner).Value))
                {
                    return "payload must hold numbers that fit a double";
                }
            }
            return null;
        }

        private static bool IsInfinite(object number)
        {
            return number is double value && (double.IsInfinity(value) || double.IsNaN(value));
        }

        /// <summary>Whether a text has no half of a surrogate pair and at most `maxLength` code points.</summary>
        private static bool IsWellFormed(string text, int maxLength)
        {
            var length = 0;
            for (var at = 0; at < text.Length; at += 1)
            {
                length += 1;
                if (!char.IsSurrogate(text[at])) continue;
                if (!char.IsSurrogatePair(text, at)) return false;
                at += 1;
            }
            return length <= maxLength;
        }
    }
}
