// What Unity does for that script: reads the asset of its connection, sets what is serialized, and calls it in each frame.
using System;
using System.IO;
using System.Reflection;
using System.Threading;
using Amazon.GameSparks.Unity.Editor.Assets;
using UnityEngine;

public static class Engine
{
    public static void Main(string[] arguments)
    {
        var asset = ScriptableObject.CreateInstance<ConnectionScriptableObject>();
        Deserialize(arguments[0], asset);
        var script = new GameObject("Weather").AddComponent<WeatherScript>();
        Set(script, "connectionScriptableObject", asset);
        script.AskWhoIAm();
        script.Ask("Oslo");
        script.Ask("Atlantis");
        var client = asset.Connection.Client;
        // The game lasts until stdin ends.
        var input = new Thread(() => Console.In.ReadToEnd());
        input.IsBackground = true;
        input.Start();
        while (input.IsAlive)
        {
            foreach (var behaviour in GameObject.Added.ToArray()) Call(behaviour, "Update");
            Thread.Sleep(5);
        }
        foreach (var behaviour in GameObject.Added.ToArray()) Call(behaviour, "OnDisable");
        if (asset.Connection.Client == client) throw new InvalidOperationException("the next game must not get what this one has closed");
        // Mono may crash if a process ends while sockets are still open.
        var closed = client.Close();
        while (!closed.IsCompleted)
        {
            client.Update();
            Thread.Sleep(5);
        }
    }

    private static void Deserialize(string file, ScriptableObject asset)
    {
        foreach (var line in File.ReadAllLines(file))
        {
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (!line.StartsWith("  ", StringComparison.Ordinal) || line.StartsWith("  m_", StringComparison.Ordinal)) continue;
            Set(asset, line.Substring(2, colon - 2), line.Substring(colon + 2));
        }
    }

    private static void Set(object target, string field, object value)
    {
        var found = target.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic);
        if (found == null || found.GetCustomAttribute<SerializeField>() == null) throw new MissingFieldException(field);
        found.SetValue(target, Convert.ChangeType(value, found.FieldType));
    }

    private static void Call(MonoBehaviour behaviour, string name)
    {
        behaviour.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic)?.Invoke(behaviour, null);
    }
}
