using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using Newtonsoft.Json.Linq;
using NUnit.Framework;

namespace Respark.Tests
{
    /// <summary>What the protocol's own files say, which every implementation must agree with.</summary>
    [TestFixture]
    public sealed class VectorTests
    {
        private static readonly JToken Reasons = Protocol.Read("vectors/close-reasons.json");

        private static IEnumerable<TestCaseData> Frames()
        {
            var vectors = Protocol.Read("vectors/frames.json") ?? new JArray();
            return vectors.Select(vector => new TestCaseData(vector).SetName($"{vector["direction"]}: {vector["name"]}"));
        }

        private static IEnumerable<TestCaseData> ReasonsToParse()
        {
            var vectors = Reasons?["parse"] ?? new JArray();
            return vectors.Select(vector => new TestCaseData(vector).SetName($"read: {vector["name"]}"));
        }

        private static IEnumerable<TestCaseData> ReasonsOfServers()
        {
            var vectors = Reasons?["format"] ?? new JArray();
            return vectors.Select(vector => new TestCaseData(vector).SetName($"what a server writes is read: {vector["name"]}"));
        }

        [Test]
        public void There_are_vectors_of_frames_and_of_close_reasons()
        {
            if (Protocol.Folder == null) Assert.Ignore("the vectors are in the repository of Respark");
            Assert.Greater(Frames().Count(), 130);
            Assert.Greater(ReasonsToParse().Count(), 15);
            Assert.Greater(ReasonsOfServers().Count(), 15);
        }

        [TestCaseSource("Frames")]
        public void Frame(JToken vector)
        {
            var text = (string)vector["text"];
            var isFromClient = (string)vector["direction"] == "to-server";
            var frame = Decode(text, isFromClient, out var fault);
            if (vector["frame"] == null)
            {
                Assert.IsTrue((bool)vector["refused"]);
                Assert.IsNull(frame);
                Assert.IsNotEmpty(fault);
                return;
            }
            Assert.IsNotNull(frame, fault);
            var encoded = FrameCodec.Encode(frame);
            Assert.AreEqual(Text.Canonical(vector["frame"]), Text.Canonical(Json.TryRead(encoded, 100)));
            // What goes over the network is UTF-8.
            var received = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(encoded));
            Assert.AreEqual(encoded, FrameCodec.Encode(Decode(received, isFromClient, out fault)));
        }

        [TestCaseSource("ReasonsToParse")]
        public void Reason(JToken vector)
        {
            var read = CloseReason.Read((string)vector["reason"]);
            var parsed = new JObject { ["text"] = read.Text };
            if (read.RetryAfterMs != null) parsed["retryAfterMs"] = read.RetryAfterMs;
            if (read.Until != null) parsed["until"] = read.Until.Value.ToUnixTimeMilliseconds();
            if (read.RequestId != null) parsed["requestId"] = read.RequestId;
            Assert.AreEqual(Text.Canonical(vector["parsed"]), Text.Canonical(parsed));
        }

        [TestCaseSource("ReasonsOfServers")]
        public void ReasonOfServer(JToken vector)
        {
            var reason = (string)vector["reason"];
            var read = CloseReason.Read(reason);
            Assert.IsTrue(((string)vector["text"]).Replace(';', ',').StartsWith(read.Text, StringComparison.Ordinal));
            Assert.AreEqual(reason.Contains("; retryAfterMs="), read.RetryAfterMs != null);
            Assert.AreEqual(reason.Contains("; until="), read.Until != null);
            Assert.AreEqual(reason.Contains("; requestId="), read.RequestId != null);
        }

        [Test]
        public void The_close_codes_and_their_verdicts_are_those_of_the_table()
        {
            if (Protocol.Folder == null) Assert.Ignore("the table is in the repository of Respark");
            var readme = File.ReadAllText(Path.Combine(Protocol.Folder, "README.md"));
            var rows = Regex.Matches(readme, @"^\| (\d{4}) \| `(\w+)` \| (reconnect|stop) \|", RegexOptions.Multiline);
            Assert.AreEqual(CloseCodes.All.Count, rows.Count);
            foreach (Match row in rows)
            {
                var code = int.Parse(row.Groups[1].Value);
                Assert.AreEqual(row.Groups[2].Value, CloseCodes.FindName(code));
                Assert.AreEqual(row.Groups[3].Value, CloseCodes.VerdictOf(code).ToString().ToLowerInvariant(), $"{code}");
            }
        }

        [TestCase(0, Verdict.Reconnect)]
        [TestCase(1004, Verdict.Reconnect)]
        [TestCase(2999, Verdict.Reconnect)]
        [TestCase(3000, Verdict.Reconnect)]
        [TestCase(4099, Verdict.Reconnect)]
        [TestCase(4505, Verdict.Stop)]
        [TestCase(4599, Verdict.Stop)]
        [TestCase(4999, Verdict.Stop)]
        [TestCase(5000, Verdict.Reconnect)]
        [TestCase(-1, Verdict.Reconnect)]
        public void A_code_that_is_not_in_the_table_has_the_verdict_of_its_range(int code, Verdict verdict)
        {
            Assert.IsNull(CloseCodes.FindName(code));
            Assert.AreEqual(verdict, CloseCodes.VerdictOf(code));
        }

        [Test]
        public void Reasons_of_any_peer_are_read_in_bounded_time()
        {
            var text = new StringBuilder();
            for (var at = 0; at < 1000000; at += 1) text.Append(";a=");
            Assert.AreEqual("", CloseReason.Read(text.ToString()).Text);
        }

        private static Frame Decode(string text, bool isFromClient, out string fault)
        {
            return isFromClient ? FrameCodec.DecodeFromClient(text, out fault) : FrameCodec.DecodeFromServer(text, out fault);
        }
    }

    [TestFixture]
    public sealed class FrameFaultTests
    {
        private static string FaultOf(string text)
        {
            Assert.IsNull(FrameCodec.DecodeFromClient(text, out var fault));
            return fault;
        }

        [TestCase("{\"kind\":\"request\",\"id\":7}", "id must be a well-formed string of 1-64 characters, got 7")]
        [TestCase("{\"kind\":\"nope\"}", "kind must be one of hello, request, event, heartbeat, got \"nope\"")]
        [TestCase("{}", "kind must be one of hello, request, event, heartbeat, got nothing")]
        [TestCase("{\"kind\":\"event\",\"type\":\"T\",\"payload\":[]}", "payload must be a JSON object, got an array")]
        [TestCase("null", "a frame must be a JSON object, got null")]
        [TestCase("hello", "a frame must be JSON, got \"hello\"")]
        public void Says_which_member_what_it_must_be_and_what_it_was(string text, string fault)
        {
            Assert.AreEqual(fault, FaultOf(text));
        }

        [Test]
        public void Shortens_long_values_between_characters()
        {
            var games = string.Concat(Enumerable.Repeat("🎮", 32));
            Assert.AreEqual($"a frame must be JSON, got \"{games}…\"", FaultOf(games + games));
            Assert.AreEqual($"a frame must be JSON, got \"{new string('a', 32)}…\"", FaultOf(new string('a', 33)));
            Assert.AreEqual($"a frame must be JSON, got \"{new string('a', 32)}\"", FaultOf(new string('a', 32)));
        }

        [Test]
        public void Escapes_what_a_terminal_or_a_log_reader_would_act_on()
        {
            var fault = FaultOf("\u001b[2J\n\u009b\u202e\u2028");
            Assert.AreEqual("a frame must be JSON, got \"\\u{1b}[2J\\u{a}\\u{9b}\\u{202e}\\u{2028}\"", fault);
        }

        [Test]
        public void Is_never_an_exception_and_never_long_whatever_the_text()
        {
            var near = new[] { "{\"kind\":\"", "hello", "request", "\",\"id\":", "\"type\":", "1e999", "[", "{", "}", "]", "\"", ",", "\\", "\\u", "d83c", "-", "0", ".", "e", "nul", "l", "\ud83c", "payload\":" };
            var random = new SeededRandom(3);
            for (var run = 0; run < 20000; run += 1)
            {
                var text = new StringBuilder();
                for (var parts = random.Below(12); parts > 0; parts -= 1) text.Append(near[random.Below(near.Length)]);
                FrameCodec.DecodeFromServer(text.ToString(), out var fault);
                if (FrameCodec.DecodeFromClient(text.ToString(), out fault) == null) Assert.Less(fault.Length, 400);
            }
        }

        [Test]
        public void However_deep_a_text_nests_it_is_read_without_exhausting_the_stack()
        {
            var deep = new string('[', 200000) + new string(']', 200000);
            Assert.AreEqual("payload must nest at most 32 levels", FaultOf("{\"kind\":\"event\",\"type\":\"T\",\"payload\":{\"a\":" + deep + "}}"));
            Assert.IsNotNull(FrameCodec.DecodeFromClient("{\"kind\":\"heartbeat\",\"later\":" + deep + "}", out var fault), fault);
            Assert.IsNull(FrameCodec.DecodeFromClient("{\"kind\":\"heartbeat\",\"later\":" + deep.Substring(1) + "}", out fault));
        }
    }
}
