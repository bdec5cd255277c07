// Stands in for the parts of UnityEngine that the package uses: names and signatures, and as much behaviour as a console
// program needs to be a game.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class Object
    {
        public string name { get; set; }

        public static void DontDestroyOnLoad(Object target)
        {
        }
    }

    public class Component : Object
    {
    }

    public class Behaviour : Component
    {
    }

    public class MonoBehaviour : Behaviour
    {
    }

    public class ScriptableObject : Object
    {
        public static T CreateInstance<T>()
            where T : ScriptableObject
        {
            return Activator.CreateInstance<T>();
        }
    }

    public sealed class GameObject : Object
    {
        /// <summary>All that have been added, which a program of the tests has to call as Unity would.</summary>
        public static readonly List<MonoBehaviour> Added = new List<MonoBehaviour>();

        public GameObject(string name)
        {
            this.name = name;
        }

        public T AddComponent<T>()
            where T : MonoBehaviour
        {
            var component = Activator.CreateInstance<T>();
            Added.Add(component);
            return component;
        }
    }

    public enum NetworkReachability
    {
        NotReachable,
        ReachableViaCarrierDataNetwork,
        ReachableViaLocalAreaNetwork,
    }

    public static class Application
    {
        public static NetworkReachability internetReachability { get; set; } = NetworkReachability.ReachableViaLocalAreaNetwork;

        public static bool isPlaying => true;
    }

    public static class PlayerPrefs
    {
        private static readonly Dictionary<string, string> Values = new Dictionary<string, string>();

        public static string GetString(string key, string defaultValue)
        {
            return Values.TryGetValue(key, out var value) ? value : defaultValue;
        }

        public static void SetString(string key, string value)
        {
            Values[key] = value;
        }

        public static void DeleteKey(string key)
        {
            Values.Remove(key);
        }

        public static void Save()
        {
        }
    }

    public static class SystemInfo
    {
        public static string deviceUniqueIdentifier => "the machine of the tests";
    }

    public static class Debug
    {
        public static void Log(object message, Object context = null)
        {
            Console.WriteLine(message);
        }

        public static void LogError(object message, Object context = null)
        {
            Console.WriteLine($"error: {message}");
        }

        public static void LogException(Exception exception)
        {
            Console.WriteLine($"exception: {exception.Message}");
        }
    }

    public static class GUILayout
    {
        public static void Label(string text)
        {
        }

        public static bool Button(string text)
        {
            return false;
        }
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip)
        {
        }
    }

    [AttributeUsage(AttributeTargets.Class)]
    public sealed class CreateAssetMenuAttribute : Attribute
    {
        public string fileName { get; set; }

        public string menuName { get; set; }
    }
}
