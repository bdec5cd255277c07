using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Newtonsoft.Json.Linq;

namespace Respark
{
    /// <summary>
    /// JSON as RFC 8259 defines it. Newtonsoft's own reader takes comments, single quotes and NaN, turns texts that look
    /// like dates into dates, and recurses as deep as the text nests.
    /// </summary>
    internal static class Json
    {
        /// <summary>
        /// Reads a text, or returns null if it is not JSON. What lies deeper than <paramref name="keptLevels"/> objects and
        /// arrays is read, but left out. A number beyond a double is infinite.
        /// </summary>
        internal static JToken TryRead(string text, int keptLevels)
        {
            return new Reader(text, keptLevels).ReadAll();
        }

        /// <summary>Writes the halves of surrogate pairs as escapes, because UTF-8 cannot hold them.</summary>
        internal static string EscapeHalves(string json)
        {
            StringBuilder escaped = null;
            var copied = 0;
            for (var at = 0; at < json.Length; at += 1)
            {
                if (!char.IsSurrogate(json[at])) continue;
                if (char.IsSurrogatePair(json, at))
                {
                    at += 1;
                    continue;
                }
                if (escaped == null) escaped = new StringBuilder(json.Length + 16);
                escaped.Append(json, copied, at - copied);
                escaped.Append("\\u").Append(((int)json[at]).ToString("x4", CultureInfo.InvariantCulture));
                copied = at + 1;
            }
            return escaped == null ? json : escaped.Append(json, copied, json.Length - copied).ToString();
        }

        /// <summary>Reads without recursion, so that no text can exhaust the stack.</summary>
        private struct Reader
        {
            private readonly string text;
            private readonly int keptLevels;
            private int at;

            internal Reader(string text, int keptLevels)
            {
                this.text = text;
                this.keptLevels = keptLevels;
                at = 0;
            }

            /// <summary>An object or array that has begun; `Kept` is null where it is only read.</summary>
            private struct Level
            {
                internal bool IsObject;
                internal JContainer Kept;
            }

            internal JToken ReadAll()
            {
                JToken whole = null;
                var levels = new Stack<Level>();
                string key = null;
                SkipSpace();
                for (;;)
                {
                    // A value begins here.
                    var opening = Peek();
                    if (opening == '{' || opening == '[')
                    {
                        at += 1;
                        var isObject = opening == '{';
                        JContainer kept = null;
                        if (levels.Count < keptLevels) kept = isObject ? (JContainer)new JObject() : new JArray();
                        if (kept != null) Put(levels, key, kept, ref whole);
                        levels.Push(new Level { IsObject = isObject, Kept = kept });
                        SkipSpace();
                        if (Peek() != (isObject ? '}' : ']'))
                        {
                            if (isObject && !TryReadKey(out key)) return null;
                            continue;
                        }
                    }
                    else
                    {
                        var value = ReadScalar(opening);
                        if (value == null) return null;
                        Put(levels, key, value, ref whole);
                    }

                    // A value has ended; so may what is around it.
                    for (;;)
                    {
                        SkipSpace();
                        if (levels.Count == 0) return at == text.Length ? whole : null;
                        var isObject = levels.Peek().IsObject;
                        var next = Peek();
                        if (next == ',')
                        {
                            at += 1;
                            SkipSpace();
                            if (isObject && !TryReadKey(out key)) return null;
                            break;
                        }
                        if (next != (isObject ? '}' : ']')) return null;
                        at += 1;
                        levels.Pop();
                    }
                }
            }

            private static void Put(Stack<Level> levels, string key, JToken value, ref JToken whole)
            {
                if (levels.Count == 0)
                {
                    whole = value;
                    return;
                }
                var level = levels.Peek();
                if (level.Kept == null) return;
                // The last of several members of one name counts.
                if (level.IsObject) ((JObject)level.Kept)[key] = value;
                else ((JArray)level.Kept).Add(value);
            }

            /// <summary>NUL, which is no JSON outside of a string's escapes, at the end.</summary>
            private char Peek()
            {
                return at < text.Length ? text[at] : '\0';
            }

            private void SkipSpace()
            {
                while (at < text.Length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) at += 1;
            }

            private bool TryReadKey(out string key)
            {
                key = ReadString();
                if (key == null) return false;
                SkipSpace();
                if (Peek() != ':') return false;
                at += 1;
                SkipSpace();
                return true;
            }

            private JToken ReadScalar(char first)
            {
                switch (first)
                {
                    case '"':
                        var read = ReadString();
                        return read == null ? null : new JValue(read);
                    case 't':
                        return Skip("true") ? new JValue(true) : null;
                    case 'f':
                        return Skip("false") ? new JValue(false) : null;
                    case 'n':
                        return Skip("null") ? JValue.CreateNull() : null;
                    default:
                        return ReadNumber();
                }
            }

            private bool Skip(string word)
            {
                if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) return false;
                at += word.Length;
                return true;
            }

            private JToken ReadNumber()
            {
                var start = at;
                if (Peek() == '-') at += 1;
                if (Peek() == '0') at += 1;
                else if (!SkipDigits()) return null;
                var isInteger = true;
                if (Peek() == '.')
                {
                    isInteger = false;
                    at += 1;
                    if (!SkipDigits()) return null;
                }
                if (Peek() == 'e' || Peek() == 'E')
                {
                    isInteger = false;
                    at += 1;
                    if (Peek() == '+' || Peek() == '-') at += 1;
                    if (!SkipDigits()) return null;
                }
                var digits = text.Substring(start, at - start);
                var invariant = CultureInfo.InvariantCulture;
                if (isInteger && long.TryParse(digits, NumberStyles.AllowLeadingSign, invariant, out var integer))
                {
                    return new JValue(integer);
                }
                if (!double.TryParse(digits, NumberStyles.Float, invariant, out var number))
                {
                    number = digits[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
                }
                return new JValue(number);
            }

            private bool SkipDigits()
            {
                var start = at;
                while (Peek() >= '0' && Peek() <= '9') at += 1;
                return at > start;
            }

            private string ReadString()
            {
                if (Peek() != '"') return null;
                at += 1;
                StringBuilder unescaped = null;
                var copied = at;
                for (; at < text.Length; at += 1)
                {
                    var unit = text[at];
                    if (unit < ' ') return null;
                    if (unit == '"')
                    {
                        var rest = text.Substring(copied, at - copied);
                        at += 1;
                        return unescaped == null ? rest : unescaped.Append(rest).ToString();
                    }
                    if (unit != '\\') continue;
                    if (unescaped == null) unescaped = new StringBuilder();
                    unescaped.Append(text, copied, at - copied);
                    at += 1;
                    if (!TryReadEscape(out var meant)) return null;
                    unescaped.Append(meant);
                    copied = at + 1;
                }
                return null;
            }

            /// <summary>Begins after the backslash, and ends at the last unit of the escape.</summary>
            private bool TryReadEscape(out char meant)
            {
                meant = Peek();
                switch (meant)
                {
                    case '"':
                    case '\\':
                    case '/':
                        return true;
                    case 'b':
                        meant = '\b';
                        return true;
                    case 'f':
                        meant = '\f';
                        return true;
                    case 'n':
                        meant = '\n';
                        return true;
                    case 'r':
                        meant = '\r';
                        return true;
                    case 't':
                        meant = '\t';
                        return true;
                    case 'u':
                        var value = 0;
                        for (var digit = 0; digit < 4; digit += 1)
                        {
                            at += 1;
                            if (!Uri.IsHexDigit(Peek())) return false;
                            value = 16 * value + Uri.FromHex(Peek());
                        }
                        meant = (char)value;
                        return true;
                    default:
                        return false;
                }
            }
        }
    }
}
