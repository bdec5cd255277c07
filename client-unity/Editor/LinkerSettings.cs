using System.IO;
using UnityEditor.Build;
using UnityEditor.Build.Reporting;
using UnityEditor.UnityLinker;

namespace Respark.Editing
{
    /// <summary>Has the linker read link.xml, which it looks for in the Assets of a project, but not in packages.</summary>
    internal sealed class LinkerSettings : IUnityLinkerProcessor
    {
        public int callbackOrder => 0;

        public string GenerateAdditionalLinkXmlFile(BuildReport report, UnityLinkerBuildPipelineData data)
        {
            return Path.GetFullPath("Packages/com.respark.gamesparks/Runtime/link.xml");
        }

        // Unity up to 2021.1 has these two in the interface as well.
        public void OnBeforeRun(BuildReport report, UnityLinkerBuildPipelineData data)
        {
        }

        public void OnAfterRun(BuildReport report, UnityLinkerBuildPipelineData data)
        {
        }
    }
}
