// Stands in for the Unity package com.amazonaws.gamesparks: what generated code needs of it. It sends to the console.
using System;
using System.Threading.Tasks;
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

        public Task<TResponse> SendRequestAsync<TRequest, TResponse>(Message<TRequest> request, TimeSpan timeout)
        {
            Console.WriteLine($"awaited request {request.Type} within {timeout.TotalSeconds} s: {Line(request.Payload)}");
            return Task.FromResult(default(TResponse));
        }

        public void SendEvent<T>(Message<T> message)
        {
            Console.WriteLine($"event {message.Type}: {Line(message.Payload)}");
        }

        public IDisposable SubscribeToNotification<T>(string type, Action<Message<T>> handleNotification)
        {
            Console.WriteLine($"subscription to {type}");
            handleNotification(new Message<T>(type, default(T)));
            return Task.FromResult(true);
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
