// Stands in for Newtonsoft.Json, and for System.Runtime.Serialization: the attributes that generated code uses.
using System;

namespace Newtonsoft.Json
{
    public enum NullValueHandling
    {
        Include,
        Ignore,
    }

    [AttributeUsage(AttributeTargets.Property)]
    public sealed class JsonPropertyAttribute : Attribute
    {
        public string PropertyName { get; }

        public NullValueHandling NullValueHandling { get; set; }

        public JsonPropertyAttribute()
        {
        }

        public JsonPropertyAttribute(string propertyName)
        {
            PropertyName = propertyName;
        }
    }

    [AttributeUsage(AttributeTargets.Enum)]
    public sealed class JsonConverterAttribute : Attribute
    {
        public JsonConverterAttribute(Type converterType)
        {
        }
    }
}

namespace Newtonsoft.Json.Converters
{
    public sealed class StringEnumConverter
    {
    }
}

namespace Newtonsoft.Json.Linq
{
    public abstract class JToken
    {
    }
}

namespace System.Runtime.Serialization
{
    [AttributeUsage(AttributeTargets.Field)]
    public sealed class EnumMemberAttribute : Attribute
    {
        public string Value { get; set; }
    }
}
