{{/*
The settings, as the file that --config names, and the secrets that it names by `*_file`.

A JSON scalar or array is a TOML one too, so the rendering knows nothing of the settings: what exists, and of which type,
is said by values.schema.json, and a test compares that with the binary. (Helm's own toToml would write 10 as 10.0.)
*/}}

{{- define "registry.secretsDir" -}}/etc/subprocessor-registry/secrets{{- end -}}

{{/* The three secrets, as JSON: for each its section and key, and where it is kept: {secret, key}, or nothing. */}}
{{- define "registry.secrets" -}}
{{- $root := . -}}
{{- $all := list
  (dict "section" "database" "setting" "url" "file" "database-url" "existing" .Values.secrets.databaseUrl)
  (dict "section" "secrets" "setting" "key" "file" "secrets-key" "existing" .Values.secrets.secretsKey)
  (dict "section" "email" "setting" "password" "file" "email-password" "existing" .Values.secrets.emailPassword) -}}
{{- $found := list -}}
{{- range $all -}}
{{- $value := dig .section .setting "" $root.Values.config -}}
{{- if .existing.existingSecret -}}
{{- $found = append $found (dict "section" .section "setting" .setting "file" .file "secret" .existing.existingSecret "key" .existing.key) -}}
{{- else if $value -}}
{{- $found = append $found (dict "section" .section "setting" .setting "file" .file "secret" (include "registry.fullname" $root) "key" .file "value" $value) -}}
{{- end -}}
{{- end -}}
{{- dict "found" $found | toJson -}}
{{- end -}}

{{- define "registry.toml" -}}
{{- $config := deepCopy .Values.config -}}
{{- range (include "registry.secrets" . | fromJson).found -}}
{{- $section := get $config .section | default dict -}}
{{- $_ := unset $section .setting -}}
{{- $_ := set $section (printf "%s_file" .setting) (printf "%s/%s" (include "registry.secretsDir" $) .file) -}}
{{- $_ := set $config .section $section -}}
{{- end -}}
{{- range $section, $settings := $config }}
[{{ $section }}]
{{- range $key, $value := $settings }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = {{ toRawJson $value }}
{{- end }}
{{- end }}
{{ end -}}
{{- end -}}

{{/* What a restart is for: a changed log_filter is not, the server reads it again. */}}
{{- define "registry.checksum" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := unset $config.telemetry "log_filter" -}}
{{- toJson (list $config .Values.secrets) | sha256sum -}}
{{- end -}}

{{/* The volumes of the settings: (root, the Secret and key of the database's URL if they are others, or nothing). */}}
{{- define "registry.settingsVolumes" -}}
{{- $root := .root -}}
{{- $found := (include "registry.secrets" $root | fromJson).found -}}
- name: config
  configMap:
    name: {{ include "registry.fullname" $root }}
{{- if $found }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $found }}
      {{- $secret := .secret }}
      {{- $key := .key }}
      {{- if and (eq .file "database-url") $.database }}
      {{- $secret = $.database.existingSecret }}
      {{- $key = $.database.key }}
      {{- end }}
      - secret:
          name: {{ $secret }}
          items:
            - key: {{ $key }}
              path: {{ .file }}
      {{- end }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "registry.settingsMounts" -}}
# The directory, not the file: a file that is mounted alone never changes.
- name: config
  mountPath: /etc/subprocessor-registry/config
  readOnly: true
{{- if (include "registry.secrets" . | fromJson).found }}
- name: secrets
  mountPath: {{ include "registry.secretsDir" . }}
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "registry.configFile" -}}/etc/subprocessor-registry/config/config.toml{{- end -}}
