using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;

namespace Respark
{
    /// <summary>
    /// Makes what Newtonsoft makes by reflection for the lists and maps of generated code, which are fields such as
    /// `IReadOnlyList&lt;int&gt;`: IL2CPP then compiles it ahead of time, and the linker keeps its constructors. All
    /// classes share one code, and so do all enums. It is never called.
    /// </summary>
    internal static class AotHints
    {
        internal static IEnumerable<object> Collections()
        {
            yield return Of<object>();
            yield return Of<int>();
            yield return Of<long>();
            yield return Of<bool>();
            yield return Of<decimal>();
            yield return Of<DateTimeOffset>();
            yield return Of<Verdict>();
            yield return new object[]
            {
                new int?(0), new long?(0), new bool?(false), new decimal?(0), new DateTimeOffset?(DateTimeOffset.MinValue),
            };
        }

        /// <summary>What is read goes into the first of each two, which the second wraps.</summary>
        private static object[] Of<T>()
        {
            var list = new List<T>();
            var map = new Dictionary<string, T>();
            return new object[] { list, new ReadOnlyCollection<T>(list), map, new ReadOnlyDictionary<string, T>(map) };
        }
    }
}
