// Stands in for the Unity package com.amazonaws.gamesparks: what generated code needs of it. It sends to the console.
using System;
using Amazon.GameSparks.Unity.EngineIntegration;

namespace Amazon.GameSparks.Unity.DotNet
{
    public sealed class Message<T>
    {
        public string Type { get; }

        public T Payload { get; }

        public Message(string type, T payload)
        {
            Type = type;
            Payload = payload;
        }
    }

    public sealed class Connection
    {
        public void SendRequest<TRequest, TResponse>(
            Message<TRequest> request,
            TimeSpan timeout,
            Action<Message<TResponse>> handleResponse,
            Action<Message<DefaultError>> handleError,
            Action handleTimeout)
        {
            Console.WriteLine($"request {request.Type} within {timeout.TotalSeconds} s: {Line(request.Payload)}");
            handleTimeout();
        }

        public void SendEvent<T>(Message<T> message)
        {
            Console.WriteLine($"event {message.Type}: {Line(message.Payload)}");
        }

        public void SubscribeToNotification<T>(string type, Action<Message<T>> handleNotification)
        {
            Console.WriteLine($"subscription to {type}");
            handleNotification(new Message<T>(type, default(T)));
        }

        private static string Line(object payload)
        {
            return payload.ToString().Replace(Environment.NewLine, ", ");
        }
    }
}

namespace Amazon.GameSparks.Unity.EngineIntegration
{
    public sealed class DefaultError
    {
    }
}
