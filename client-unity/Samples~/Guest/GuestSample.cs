using System.Collections.Generic;
using Amazon.GameSparks.Unity.Editor.Assets;
using Newtonsoft.Json.Linq;
using Respark;
using UnityEngine;

/// <summary>Signs in a guest, sends a message that any server answers, and shows how a connection ends.</summary>
public sealed class GuestSample : MonoBehaviour
{
    private const int MaxLines = 20;

    [SerializeField]
    private ConnectionScriptableObject connectionScriptableObject = null;

    private readonly List<string> lines = new List<string>();
    private ResparkClient client;

    private void Start()
    {
        if (connectionScriptableObject == null)
        {
            Say("Set the connection of this object: GameSparks > Create Connection makes one.");
            return;
        }
        client = connectionScriptableObject.Connection.Client;
        client.Welcomed += ShowWelcome;
        client.Notified += ShowNotification;
        client.Failed += ShowFailure;
        client.Disconnected += ShowEnd;
        client.Connect();
    }

    /// <summary>The client outlives the scene, and must not call what is gone.</summary>
    private void OnDestroy()
    {
        if (client == null) return;
        client.Welcomed -= ShowWelcome;
        client.Notified -= ShowNotification;
        client.Failed -= ShowFailure;
        client.Disconnected -= ShowEnd;
    }

    private void ShowWelcome(Welcome welcome)
    {
        Say($"Signed in as {welcome.PlayerId}.");
    }

    private void ShowNotification(Notification notification)
    {
        Say($"Heard {notification.Type}: {notification.Payload}");
    }

    private void ShowFailure(ResparkException error)
    {
        Say(error.Message);
    }

    private void ShowEnd(Disconnect end)
    {
        var closure = end.Closure;
        if (closure.Farewell != null) Say($"{closure.Farewell.Message} ({closure.Farewell.Reason})");
        if (closure.Until != null) Say($"You may come back at {closure.Until.Value.ToLocalTime()}.");
        var next = end.ReconnectInMs == null ? "It stays closed." : $"Connecting again in {end.ReconnectInMs / 1000:0.0} s.";
        Say($"The connection ended: {closure}, request {closure.RequestId}. {next}");
    }

    private async void Ask()
    {
        try
        {
            await client.Request("GameSparks.Identity.GetPlayerToken", new JObject());
            Say("The server has answered.");
        }
        catch (ResparkException error)
        {
            Say(error.Message);
        }
    }

    private void OnGUI()
    {
        if (client != null)
        {
            GUILayout.Label($"{client.State}");
            if (GUILayout.Button("Send a message")) Ask();
            if (client.State == ClientState.Closed && GUILayout.Button("Connect again")) client.Connect();
        }
        foreach (var line in lines) GUILayout.Label(line);
    }

    private void Say(string line)
    {
        if (lines.Count == MaxLines) lines.RemoveAt(0);
        lines.Add(line);
    }
}
