import { Command } from 'commander';
import { listNodes } from '../../api/own-operations/nodes.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { listAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import type { World } from '../world.ts';

type Node = Readonly<
  Record<'Id' | 'State', string> &
    Partial<Record<'Role' | 'Machine' | 'Url' | 'Started' | 'Version', string>> & { Connections?: number }
>;

const HEAD = ['ID', 'ROLE', 'STATE', 'CONNECTIONS', 'MACHINE', 'ADDRESS', 'SINCE', 'VERSION'];

export function nodesCommand(world: World): Command {
  const command = new Command('nodes')
    .description('List the nodes of the cluster: what they do, how they are, and how many players each has.')
    .option('--json', "print the server's reply")
    .addHelpText(
      'after',
      `
Example: find the nodes that do not answer
  $ respark nodes | grep SILENT

Any node may be asked. A node that was killed is listed as SILENT until its lease has ended.`,
    )
    .action(async () => {
      const client = await createClient(world, command);
      const reply = await client.call(listNodes, {});
      const nodes = listAt<Node>(reply, 'Nodes');
      world.stdout.write(command.opts().json === true ? formatJson(reply) : formatTable([HEAD, ...nodes.map(rowOf)]));
    });
  return addClientOptions(command);
}

function rowOf({ Id, Role, State, Connections, Machine, Url, Started, Version }: Node): string[] {
  return [Id, Role, State, Connections?.toString(), Machine, Url, Started, Version].map((cell) => cell ?? '-');
}
