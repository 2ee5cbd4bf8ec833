// What the usage of a subscription looks like in the API.
import Type from 'typebox';
import { Bytes } from '../fields.ts';

const Count = Type.Object({ up_bytes: Bytes, down_bytes: Bytes, total_bytes: Bytes });

/** Windows in the tenant's zone; the month is the billing month of the subscription. */
export const UsageReply = Type.Object({ today: Count, this_month: Count, all_time: Count });
