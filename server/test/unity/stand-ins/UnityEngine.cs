// Stands in for the parts of UnityEngine that the package uses: names and signatures, and as much behaviour as a console
// program needs to be a game.
using System;
using System.Collections.Generic;
using System.Reflection;

namespace UnityEngine
{
    public class Object
    {
        private bool isDestroyed;

        public string name { get; set; }

        public static bool operator ==(Object one, Object other)
        {
            return ReferenceEquals(one, other) || IsNothing(one) && IsNothing(other);
        }

        public static bool operator !=(Object one, Object other)
        {
            return !(one == other);
        }

        public static void DontDestroyOnLoad(Object target)
        {
        }

        public static void DestroyImmediate(Object target)
        {
            if (target is MonoBehaviour behaviour)
            {
                behaviour.enabled = false;
                behaviour.Send("OnDestroy");
                GameObject.Added.Remove(behaviour);
            }
            target.isDestroyed = true;
        }

        public override bool Equals(object other)
        {
            return ReferenceEquals(this, other);
        }

        public override int GetHashCode()
        {
            return base.GetHashCode();
        }

        private static bool IsNothing(Object one)
        {
            return ReferenceEquals(one, null) || one.isDestroyed;
        }
    }

    public class Component : Object
    {
    }

    public class Behaviour : Component
    {
        private bool isEnabled = true;

        public bool enabled
        {
            get
            {
                return isEnabled;
            }

            set
            {
                if (value == isEnabled) return;
                isEnabled = value;
                Send(value ? "OnEnable" : "OnDisable");
            }
        }

        /// <summary>Calls what Unity would call, if there is one.</summary>
        public void Send(string message)
        {
            GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic)?.Invoke(this, null);
        }
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
            component.Send("Awake");
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

        public static event Action quitting;

        public static bool isPlaying => true;

        public static SystemLanguage systemLanguage { get; set; } = SystemLanguage.Unknown;

        public static void Quit()
        {
            quitting?.Invoke();
        }
    }

    public enum SystemLanguage
    {
        Afrikaans,
        Arabic,
        Basque,
        Belarusian,
        Bulgarian,
        Catalan,
        Chinese,
        Czech,
        Danish,
        Dutch,
        English,
        Estonian,
        Faroese,
        Finnish,
        French,
        German,
        Greek,
        Hebrew,
        Hungarian,
        Icelandic,
        Indonesian,
        Italian,
        Japanese,
        Korean,
        Latvian,
        Lithuanian,
        Norwegian,
        Polish,
        Portuguese,
        Romanian,
        Russian,
        SerboCroatian,
        Slovak,
        Slovenian,
        Spanish,
        Swedish,
        Thai,
        Turkish,
        Ukrainian,
        Vietnamese,
        ChineseSimplified,
        ChineseTraditional,
        Unknown,
    }

    public enum RuntimeInitializeLoadType
    {
        AfterSceneLoad,
        SubsystemRegistration,
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class RuntimeInitializeOnLoadMethodAttribute : Attribute
    {
        public RuntimeInitializeOnLoadMethodAttribute(RuntimeInitializeLoadType loadType)
        {
        }
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
        public static string deviceUniqueIdentifier { get; set; } = "the machine of the tests";
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
