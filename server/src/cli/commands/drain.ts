import { Command } from 'commander';
import { drainNode } from '../../api/own-operations/nodes.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import type { World } from '../world.ts';

export function drainCommand(world: World): Command {
  const command = new Command('drain')
    .description('Have a node of the cluster send its players to the others, and end.')
    .argument('<node>', 'id of the node, as "respark nodes" shows it')
    .addHelpText(
      'after',
      `
Example: empty a node before its machine is serviced
  $ respark drain 01890a5d-ac96-774b-bcce-b302099a8057

The node stops as at a SIGTERM; whatever supervises its process may start it again. The command does not wait for the end:
"respark nodes" lists the node until then.`,
    )
    .action(async (node: string) => {
      const client = await createClient(world, command);
      await client.call(drainNode, { NodeId: node });
      world.stdout.write(`node ${node} drains; "respark nodes" lists it until it has ended\n`);
    });
  return addClientOptions(command);
}
