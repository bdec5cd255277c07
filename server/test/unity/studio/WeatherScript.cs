// A script of a game, written for GameSparks' own package and unchanged since.
using System;
using Amazon.GameSparks.Unity.DotNet;
using Amazon.GameSparks.Unity.Editor.Assets;
using Amazon.GameSparks.Unity.Generated;
using UnityEngine;

public class WeatherScript : MonoBehaviour
{
    [SerializeField] private ConnectionScriptableObject connectionScriptableObject = null;

    public void Ask(string city)
    {
        var request = new WeatherOperations.GetForecastRequest(city, 3);
        try
        {
            connectionScriptableObject.Connection.EnqueueGetForecastRequest(
                request,
                HandleForecast,
                error => { Debug.Log("Request failed: " + error); },
                () => { Debug.Log("Request timed out."); },
                TimeSpan.FromMinutes(2));
        }
        catch (Exception e)
        {
            Debug.LogException(e);
        }
    }

    public void AskWhoIAm()
    {
        connectionScriptableObject.Connection.EnqueueGetPlayerTokenRequest(
            new IdentityOperations.GetPlayerTokenRequest(),
            response => { Debug.Log("Token of " + response.Payload.AuthenticationToken.Length + " characters"); },
            error => { Debug.Log("Request failed: " + error.Payload); },
            () => { Debug.Log("Request timed out."); },
            TimeSpan.FromMinutes(2));
    }

    private void HandleForecast(Message<WeatherOperations.GetForecastResponse> response)
    {
        Debug.Log(response.Payload.result);
    }
}
