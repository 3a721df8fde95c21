import { aiSdkCases } from './ai-sdk.ts';
import { anthropicCases } from './anthropic.ts';
import type { Case } from './case.ts';
import { langchainCases } from './langchain.ts';
import { openaiCases } from './openai.ts';

export const SUITES: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  openai: openaiCases,
  anthropic: anthropicCases,
  'ai-sdk': aiSdkCases,
  langchain: langchainCases,
};
