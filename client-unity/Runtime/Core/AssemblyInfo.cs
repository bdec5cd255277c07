using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Respark.GameSparks.Core.Tests")]
