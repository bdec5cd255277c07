import { type Operation, type OperationRow, withAction } from '../operation.ts';
import { exact, type Members, type StructureShape, type Value } from '../shape.ts';

/**
 * The row of an operation of this server's own, which Amazon's API does not have: its path is under `/respark/`, and its
 * IAM action is `respark:NAME`. No client of AWS calls it, so nothing in its body is ignored: what is misspelled, or null,
 * could have it do more than was meant. Everything else is as in `operation`.
 */
export function ownOperation<
  const I extends Members,
  const RI extends keyof I & string,
  const O extends Members,
  const RO extends keyof O & string,
>(
  row: OperationRow<Value<StructureShape<I, RI>>, Value<StructureShape<O, RO>>> & {
    readonly http: { readonly path: `/respark/${string}` };
    readonly input: StructureShape<I, RI>;
    readonly output: StructureShape<O, RO>;
  },
): Operation {
  return withAction('respark', { ...row, input: exact(row.input) });
}
