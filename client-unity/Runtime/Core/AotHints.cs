using System;
using System.Collections.Generic;

namespace Respark
{
    /// <summary>
    /// Names the collections that generated code may have as fields, and that Newtonsoft makes by reflection, so that IL2CPP
    /// compiles them ahead of time. Those of classes share their code. It is never called.
    /// </summary>
    internal static class AotHints
    {
        internal static object[] Collections()
        {
            return new object[]
            {
                new List<int>(), new List<long>(), new List<bool>(), new List<decimal>(), new List<DateTimeOffset>(),
                new Dictionary<string, int>(), new Dictionary<string, long>(), new Dictionary<string, bool>(),
                new Dictionary<string, decimal>(), new Dictionary<string, DateTimeOffset>(),
                new int?(0), new long?(0), new bool?(false), new decimal?(0), new DateTimeOffset?(DateTimeOffset.MinValue),
            };
        }
    }
}
