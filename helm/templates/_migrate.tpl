{{/*
Who migrates PostgreSQL, and why not a Helm hook.

A hook before the installation would need the ConfigMap, the Secret and the ServiceAccount that the same installation
makes only after it; as hooks themselves they would escape Helm's upgrades and removal. A hook after it never comes under
`helm install --wait`: that waits for pods that wait for the hook.

- initContainer (the default): each pod runs `migrate` before it serves. An advisory lock lets one at a time through, and
  where nothing is to be done that takes milliseconds. It is right on a fresh install, with --wait, under every tool that
  applies manifests, and in a rollback. Old pods go on serving until a new one is ready.
- job: an ordinary Job of the release, for those who keep the role that may change tables away from the pods. Its name has
  a hash of the image and the settings, because a Job cannot be changed: a new version is a new Job. Until it is done,
  `serve` refuses the older schema, exits, and is started again by Kubernetes.
- none: an operator runs `subprocessor-registry migrate`.

With `persistence` there is nothing to do: `serve` migrates the embedded database, which belongs to it alone.
*/}}

{{- define "registry.migrationMode" -}}
{{- ternary "none" .Values.migration.mode .Values.persistence.enabled -}}
{{- end -}}

{{- define "registry.migrateContainer" -}}
name: migrate
{{ include "registry.container" . }}
args: [migrate, --config, {{ include "registry.configFile" . }}]
{{- with include "registry.environment" . }}
{{ trim . }}
{{- end }}
resources:
  {{- toYaml .Values.migration.resources | nindent 2 }}
volumeMounts:
  {{- include "registry.settingsMounts" . | nindent 2 }}
{{- end -}}
