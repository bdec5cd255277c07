import { list } from '../setting.ts';
import { faultOfHost } from './outside.ts';

const rows = {
  identityHosts: list({
    rule: 'hosts such as login.internal, or with a port such as login.internal:8443, separated by commas',
    isItem: (item) => faultOfHost(item) === undefined,
    adviseOnItem: faultOfHost,
    help: 'Hosts on a private network from which the keys of identity providers may be fetched, beside those that name servers know with an address of the public internet; a host without a port stands for all of its ports. Only the URLs that stages have set are asked, over https. With --demo, providers on this machine are listed.',
  }),
};

export const identity = {
  title: 'Identity providers',
  rows,
  checks: [],
};
