import { list } from '../setting.ts';
import { faultOfHost } from './outside.ts';

const rows = {
  identityHosts: list({
    rule: 'hosts such as login.internal, or with a port such as login.internal:8443, separated by commas',
    isItem: (item) => faultOfHost(item) === undefined,
    adviseOnItem: faultOfHost,
    help: 'Hosts on a private network where identity providers may be asked, beside those that name servers know with an address of the public internet; a host without a port stands for all of its ports. Only the URLs that stages have set are asked there, over https, and the provider by which teams sign in to the console (RESPARK_SIGN_IN_ISSUER): a host that is listed for one of them may be asked for the other too. With --demo, providers on this machine are listed.',
  }),
};

export const identity = {
  title: 'Identity providers',
  rows,
  checks: [],
};
