// Made by `npm run api` from the description with SHA-256 9af64a0c07999184dcad36f48558533a7a3e8592035bd46a66da98157e4ed362.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An adapter that acted on an image. */
        AdapterUse: {
            /** @description Its name. */
            name: string;
            /**
             * Format: float
             * @description 0 is nothing, 1 as trained.
             */
            scale: number;
            /** @description SHA-256 of its weights, hexadecimal. */
            sha256: string;
        };
        /** @description A promoted adapter. */
        AdapterView: {
            /** @description Whom to credit for them; empty where its card is gone. */
            attribution: string[];
            /** @description The data set that it learned from. */
            dataset_id: string;
            /** @description Identifier: that of the run that trained it. */
            id: string;
            /** @description Licences of its data set and of the model that it was trained beside. */
            licence: string;
            /** @description Its name. */
            name: string;
            /**
             * Format: date-time
             * @description When it was promoted.
             */
            promoted_at: string;
            /**
             * Format: float
             * @description The same with the adapter.
             */
            validation_loss_after?: number | null;
            /**
             * Format: float
             * @description Loss on held-out patients of the untouched model.
             */
            validation_loss_before?: number | null;
        };
        /**
         * @description The age groups that prompts and captions speak of.
         * @enum {string}
         */
        AgeGroup: "child" | "adult";
        /** @description An event of the log. The hash is over the stored letters: `detail` is their JSON. */
        AuditEventView: {
            /** @description What was done. */
            action: string;
            /** @description Who acted, where that is known. */
            actor_id?: string | null;
            /** @description The name of who acted. */
            actor_name: string;
            /** @description Their roles at the time. */
            actor_roles: string[];
            /** @description More about it. */
            detail: unknown;
            /** @description Its code in DICOM's CID 400. */
            event_id?: string | null;
            /** @description Hash of this row. */
            hash: string;
            /** @description Identifier of it; none for a list. */
            object_id?: string | null;
            /** @description What it was done to. */
            object_type: string;
            /** @description `success`, `refused` or `failure`. */
            outcome: string;
            /** @description Hash of the row before. */
            previous_hash: string;
            /** @description When it was written (RFC 3339, UTC). */
            recorded_at: string;
            /**
             * Format: int64
             * @description Its number, from 1, without gaps.
             */
            sequence: number;
            /** @description The client's network address. */
            source_address?: string | null;
        };
        /**
         * @description How the platform says to a DICOMweb archive who it is.
         * @enum {string}
         */
        Authentication: "none" | "bearer" | "basic";
        /** @description A broken row. */
        BreakView: {
            /** @description What happened to it. */
            cause: string;
            /**
             * Format: int64
             * @description Its number.
             */
            sequence: number;
        };
        /** @description What is to be changed; nothing of what is left out. */
        ChangeUser: {
            /** @description Whether the user may not log in; ends their sessions. */
            disabled?: boolean | null;
            /** @description Name to show. */
            display_name?: string | null;
            /** @description What the user may be. */
            roles?: components["schemas"]["Role"][] | null;
        };
        /**
         * @description Where a radiograph stands after quality control.
         * @enum {string}
         */
        CheckState: "clear" | "pending" | "accepted" | "excluded";
        /** @description How a condition image acted. */
        ControlUse: {
            /**
             * Format: double
             * @description The share of the steps after which it acted no more.
             */
            end: number;
            /** @description SHA-256 of the network's weights, hexadecimal. */
            network_sha256: string;
            /**
             * Format: double
             * @description The share of the steps before which it did not act.
             */
            start: number;
            /**
             * Format: double
             * @description Its strength.
             */
            weight: number;
        };
        /** @description A user to be made. */
        CreateUser: {
            /** @description Name to show. */
            display_name: string;
            /** @description What the user may be. */
            roles: components["schemas"]["Role"][];
            /** @description Name to log in with: 2 to 64 of `a-z`, `0-9`, `.`, `-`, `_`, a letter first. */
            username: string;
        };
        /** @description Who vouches for what a file says. */
        CredentialView: {
            /** @description The certificate's common name. */
            common_name?: string | null;
            /** @description What is wrong with it, by the codes of C2PA. */
            faults: string[];
            /** @description The certificate's serial number. */
            serial_number?: string | null;
            /** @description The signer's organisation. */
            signer?: string | null;
            /** @description What it is worth. */
            state: components["schemas"]["CredentialWord"];
        };
        /**
         * @description What a credential is worth.
         * @enum {string}
         */
        CredentialWord: "absent" | "not_read" | "trusted" | "valid" | "invalid";
        /** @description What a data set says of itself. */
        DatasetCard: {
            /** @description Samples by age group and split; `unknown` where there is none. */
            age_groups: {
                [key: string]: components["schemas"]["SplitCount"];
            };
            /** @description Whom to credit. */
            attribution: string;
            /**
             * Format: date-time
             * @description When it was built.
             */
            created: string;
            /**
             * Format: int64
             * @description Sources left out because another has exactly the same pixels.
             */
            duplicates_dropped: number;
            /** @description The engine that built it. */
            engine_version: string;
            /** @description Samples by finding and split; a sample with two findings counts in both. */
            findings: {
                [key: string]: components["schemas"]["SplitCount"];
            };
            /**
             * Format: int32
             * @description Edition of the folder's layout.
             */
            format: number;
            /** @description Under which licence the sources may be used. */
            licence: string;
            /** @description The data set's name. */
            name: string;
            /**
             * Format: int64
             * @description Files that are not DICOM.
             */
            other_files_ignored: number;
            /** @description Patients by split. */
            patients: components["schemas"]["SplitCount"];
            /** @description Samples by split. */
            samples: components["schemas"]["SplitCount"];
            /**
             * Format: int64
             * @description The seed of the split.
             */
            seed: number;
            /** @description Samples by sex and split. */
            sexes: {
                [key: string]: components["schemas"]["SplitCount"];
            };
            /**
             * Format: int64
             * @description Files taken as sources.
             */
            sources: number;
            /** @description SHA-256 over the SHA-256 of every source, in their order. */
            sources_sha256: string;
            /** @description Some samples are synthetic. */
            synthetic: boolean;
            /**
             * Format: float
             * @description Share of patients that was to be kept for validation.
             */
            validation_fraction: number;
            /** @description Samples by view position and split. */
            view_positions: {
                [key: string]: components["schemas"]["SplitCount"];
            };
        };
        /** @description A data set. */
        DatasetView: {
            card?: components["schemas"]["DatasetCard"] | null;
            counts?: components["schemas"]["SplitCounts"] | null;
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /** @description The user who asked for it. */
            created_by: string;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Identifier. */
            id: string;
            /** @description Its name. */
            name: string;
            /** @description Radiographs read, of all. */
            progress: components["schemas"]["Progress"];
            /** @description Where the building stands. */
            state: components["schemas"]["State"];
            /** @description The uploads it is built from. */
            upload_ids: string[];
        };
        /** @description How many radiographs a decision was about. */
        Decided: {
            /**
             * Format: int64
             * @description Those that waited for it.
             */
            count: number;
        };
        /**
         * @description What a person decides about a radiograph that something speaks against.
         * @enum {string}
         */
        Decision: "accept" | "exclude";
        /**
         * @description By what an archive is spoken with.
         * @enum {string}
         */
        DestinationKind: "dimse" | "dicomweb";
        /** @description How an archive is reached, and whether it may be. */
        DestinationSettings: {
            /** @description Whether synthetic images may be sent there: an archive of patients is none of these. */
            accepts_synthetic: boolean;
            /**
             * @description Of DIMSE, host and port: `pacs.example:11112`. Of DICOMweb, the address of the service:
             *     `https://pacs.example/dicom-web`.
             */
            address: string;
            /** @description Its AE title; DIMSE alone, and needed there. */
            ae_title?: string | null;
            authentication?: components["schemas"]["Authentication"] | null;
            /**
             * @description Certificates (PEM) of whoever may vouch for the archive. DIMSE by TLS needs them; for DICOMweb,
             *     those of this machine count where they are absent.
             */
            authorities?: string | null;
            /** @description This platform's, as the archive knows it; DIMSE alone, `SKIAGRAPH` where it is absent. */
            calling_ae_title?: string | null;
            /** @description By what it is spoken with. */
            kind: components["schemas"]["DestinationKind"];
            /**
             * Format: password
             * @description The token or password. It is kept in a file of the platform's and is in no answer. Left out in a
             *     change, the one from before stays.
             */
            secret?: string | null;
            /** @description The name in the archive's certificate, where it is not the address's host; DIMSE by TLS alone. */
            server_name?: string | null;
            /**
             * Format: int64
             * @description Seconds to wait for the archive, each time: 1 to 600, 30 where it is absent.
             */
            timeout_seconds?: number | null;
            /** @description Whether the association is secured by TLS; DIMSE alone. DICOMweb always is. */
            tls?: boolean | null;
            /** @description The name to log in with; `basic` alone. */
            username?: string | null;
        };
        /** @description An archive that images may be sent to. */
        DestinationView: {
            /** @description Whether it takes synthetic images; without that nothing is sent there. */
            accepts_synthetic: boolean;
            /** @description Host and port; of DICOMweb, the address of the service. */
            address: string;
            /** @description Its AE title, of DIMSE. */
            ae_title?: string | null;
            /** @description How the platform says who it is, of DICOMweb. */
            authentication: components["schemas"]["Authentication"];
            /** @description Certificates (PEM) of whoever may vouch for it, where it is a record; for administrators. */
            authorities?: string | null;
            /** @description This platform's, as the archive knows it, of DIMSE. */
            calling_ae_title?: string | null;
            /** @description Whether it stands in the configuration, and is changed there alone. */
            configured: boolean;
            /** @description By what it is spoken with. */
            kind: components["schemas"]["DestinationKind"];
            /** @description Its name. */
            name: string;
            /** @description The name in its certificate, where it is not the address's host. */
            server_name?: string | null;
            /**
             * Format: int64
             * @description Seconds to wait for it, each time.
             */
            timeout_seconds: number;
            /** @description Whether the way there is secured by TLS. */
            tls: boolean;
            /** @description The name to log in with; for administrators. */
            username?: string | null;
        };
        /** @description One thing that speaks against a radiograph. */
        Doubt: {
            /** @description The reason, in a sentence. */
            cause: string;
            /** @description What kind it is. */
            kind: components["schemas"]["DoubtKind"];
        };
        /**
         * @description The kinds of doubt about a radiograph that comes in, those first that make a picture useless.
         * @enum {string}
         */
        DoubtKind: "body_part" | "lateral" | "inverted" | "rotated" | "exposure" | "burned_in" | "duplicate";
        /** @description What came of asking an archive whether it is there. */
        EchoView: {
            /** @description Whether it answered with success. */
            answered: boolean;
            /** @description Why not. */
            cause?: string | null;
        };
        /** @description A word that was learned beside the model's vocabulary. */
        EmbeddingUse: {
            /** @description SHA-256 of its file, hexadecimal. */
            sha256: string;
            /** @description The word. */
            token: string;
        };
        /** @description A field of a request, and what is wrong with it. */
        FieldError: {
            /** @description The cause; it repeats no input. */
            cause: string;
            /** @description The field, for example `prompt.findings` or `files[3]`. */
            field: string;
        };
        /** @description A finding that a prompt may name. */
        FindingView: {
            /** @description The words in captions: `bacterial pneumonia`. */
            name: string;
            /** @description The word in requests: `bacterial_pneumonia`. */
            slug: string;
            /** @description SNOMED CT code, where one fits exactly. */
            snomed?: string | null;
        };
        /**
         * @description The form of a file.
         * @enum {string}
         */
        FormatWord: "dicom" | "png" | "jpeg";
        /** @description A request with everything that decides the images filled in; as it is stored. */
        GenerationRequest: {
            /** @description The adapter, if any. */
            adapter_id?: string | null;
            /**
             * Format: float
             * @description How strongly the adapter acts.
             */
            adapter_scale?: number | null;
            /**
             * Format: int32
             * @description How many images.
             */
            count: number;
            /**
             * Format: float
             * @description Strength of guidance.
             */
            guidance_scale: number;
            /** @description What to lead away from. */
            negative?: string | null;
            /**
             * @description What of the sentence and of the negative prompt the model will not see, or not know; nothing
             *     where both are all clear to it.
             */
            notes?: components["schemas"]["PromptNote"][];
            /** @description What the images are to show. */
            prompt: components["schemas"]["Prompt"];
            /**
             * Format: int64
             * @description Seed of the first image; the next images have the next seeds.
             */
            seed: number;
            /** @description The sentence that the model is given. */
            sentence: string;
            /**
             * Format: int32
             * @description Denoising steps.
             */
            steps: number;
        };
        /** @description A generation. */
        GenerationView: {
            /**
             * Format: int64
             * @description How many generations come before this one; absent unless it is queued.
             */
            ahead?: number | null;
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /** @description The user who asked for it. */
            created_by: string;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Identifier. */
            id: string;
            /** @description Denoising steps done, of all images together. */
            progress: components["schemas"]["Progress"];
            /** @description What was asked for. */
            request: components["schemas"]["GenerationRequest"];
            /** @description Where it stands. */
            state: components["schemas"]["State"];
        };
        /** @description A synthetic image. */
        ImageView: {
            /**
             * Format: date-time
             * @description When it was finished.
             */
            created_at: string;
            /** @description The generation that it belongs to. */
            generation_id: string;
            /** @description Identifier. */
            id: string;
            /**
             * Format: int32
             * @description Its place among that generation's images, from 0.
             */
            index: number;
            /** @description Program, model, adapters and settings: enough to make it again. */
            provenance: components["schemas"]["Provenance"];
            /** @description Where it stands on its way out. */
            review_state: components["schemas"]["ReviewState"];
            /**
             * Format: int64
             * @description The seed of its noise.
             */
            seed: number;
            /** @description SHA-256 of the DICOM file, hexadecimal. */
            sha256: string;
        };
        /** @description A picture that went into an image. */
        InputUse: {
            control?: components["schemas"]["ControlUse"] | null;
            /** @description `init`, `mask` or `control`. */
            role: string;
            /** @description SHA-256 of its pixels, hexadecimal. */
            sha256: string;
        };
        /**
         * @description By what a file was known again.
         * @enum {string}
         */
        KnownBy: "file" | "pixels" | "sop_instance_uid";
        /** @description An image that this platform made. */
        KnownView: {
            /** @description By what it was known again. */
            by: components["schemas"]["KnownBy"][];
            /**
             * Format: date-time
             * @description When it was finished.
             */
            created_at: string;
            /** @description Its identifier. */
            image_id: string;
            /** @description Where it stands on its way out. */
            review_state: components["schemas"]["ReviewState"];
        };
        /** @description Name and password. */
        LoginRequest: {
            /**
             * Format: password
             * @description The password.
             */
            password: string;
            /** @description Name to log in with. */
            username: string;
        };
        /** @description What a clinician may generate with. */
        ModelsView: {
            /** @description Promoted adapters, the newest first. */
            adapters: components["schemas"]["AdapterView"][];
            /** @description The model. */
            base: components["schemas"]["ModelView"];
        };
        /** @description The model's card. */
        ModelView: {
            /** @description Whom to credit. */
            attribution: string;
            /**
             * Format: float
             * @description Strength of guidance where a request does not say.
             */
            default_guidance_scale: number;
            /**
             * Format: int32
             * @description Denoising steps where a request does not say.
             */
            default_steps: number;
            /** @description What it makes. */
            description: string;
            /** @description Findings that it was trained on. */
            findings: string[];
            /** @description Sides of the square image, in pixels. */
            image_size: number;
            /** @description Licence of the weights. */
            licence: string;
            /** @description What it cannot do, and what it must not be used for. */
            limits: string;
            /** @description Its name. */
            name: string;
            /** @description Its version. */
            version: string;
            /** @description SHA-256 over its weights, hexadecimal. */
            weights_sha256: string;
        };
        /** @description A data set to build. */
        NewDataset: {
            /** @description Whom to credit. */
            attribution: string;
            /** @description Under which licence the radiographs may be used. */
            licence: string;
            /** @description Its name, 1 to 120 characters. */
            name: string;
            /**
             * Format: int64
             * @description Seed of the split.
             */
            seed?: number;
            /** @description The uploads whose radiographs it takes. */
            upload_ids: string[];
            /**
             * Format: float
             * @description Share of patients kept for validation, above 0 and up to 0.9.
             * @default 0.1
             */
            validation_fraction: number;
        };
        /** @description A decision about one radiograph, or about all of an upload that wait for one. */
        NewDecision: {
            /** @description `accept` or `exclude`. */
            decision: components["schemas"]["Decision"];
        };
        /** @description An archive to be made. */
        NewDestination: {
            /** @description Its name, which stays: 1 to 64 of letters, digits, `.`, `-`, `_`, a letter or digit first. */
            name: string;
            /** @description How it is reached. */
            settings: components["schemas"]["DestinationSettings"];
        };
        /** @description A generation to make. */
        NewGeneration: {
            /** @description A promoted adapter; the model alone where it is absent. */
            adapter_id?: string | null;
            /**
             * Format: float
             * @description How strongly the adapter acts, 0 to 2.
             */
            adapter_scale?: number | null;
            /**
             * Format: int64
             * @description How many images, 1 to 16.
             * @default 1
             */
            count: number;
            /**
             * Format: float
             * @description Strength of guidance, 0 to 30; the model's own where it is absent.
             */
            guidance_scale?: number | null;
            /** @description What to lead away from, at most 2,000 characters. */
            negative?: string | null;
            /** @description What the images are to show. */
            prompt: components["schemas"]["Prompt"];
            /**
             * Format: int64
             * @description Seed of the first image; the next images have the next seeds. Drawn where it is absent.
             */
            seed?: number | null;
            /**
             * Format: int64
             * @description Denoising steps, 1 to 1,000; the model's own where it is absent.
             */
            steps?: number | null;
        };
        /** @description A user whose password was just made. */
        NewPasswordView: {
            /** @description To be told to them; it is shown this once, and must be changed at the first login. */
            one_time_password: string;
            /** @description The user. */
            user: components["schemas"]["UserView"];
        };
        /** @description A review to give. */
        NewReview: {
            /**
             * Format: int64
             * @description How real it looks, from 1 to 5.
             */
            realism?: number | null;
            /** @description Why; a rejection needs a reason. */
            reason?: string | null;
            /** @description `release` or `reject`. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description A run to start. */
        NewRun: {
            /**
             * Format: double
             * @description The adapter's change is scaled by alpha / rank; the rank where it is absent.
             */
            alpha?: number | null;
            /**
             * Format: int64
             * @description Images a step, 1 to 256.
             * @default 8
             */
            batch_size: number;
            /** @description The data set to learn from; it must have succeeded. */
            dataset_id: string;
            /**
             * Format: double
             * @description Learning rate, above 0 and up to 1.
             * @default 0.0001
             */
            learning_rate: number;
            /**
             * @description `lora`.
             * @default lora
             */
            method: string;
            /** @description Its name, and the adapter's; 1 to 120 characters. */
            name: string;
            /**
             * Format: int64
             * @description Rank of the adapter, 1 to 256.
             * @default 8
             */
            rank: number;
            /**
             * Format: int64
             * @description Seed of everything random.
             */
            seed?: number;
            /**
             * Format: int64
             * @description Steps, 1 to 1,000,000.
             */
            steps: number;
        };
        /** @description Images to send. */
        NewTransfer: {
            /** @description Name of the archive. */
            destination: string;
            /** @description Your own released images, up to 100, in the order in which they are sent. */
            image_ids: string[];
        };
        /** @description A page of a list. */
        Page_AuditEventView: {
            /** @description What is on it. */
            items: {
                /** @description What was done. */
                action: string;
                /** @description Who acted, where that is known. */
                actor_id?: string | null;
                /** @description The name of who acted. */
                actor_name: string;
                /** @description Their roles at the time. */
                actor_roles: string[];
                /** @description More about it. */
                detail: unknown;
                /** @description Its code in DICOM's CID 400. */
                event_id?: string | null;
                /** @description Hash of this row. */
                hash: string;
                /** @description Identifier of it; none for a list. */
                object_id?: string | null;
                /** @description What it was done to. */
                object_type: string;
                /** @description `success`, `refused` or `failure`. */
                outcome: string;
                /** @description Hash of the row before. */
                previous_hash: string;
                /** @description When it was written (RFC 3339, UTC). */
                recorded_at: string;
                /**
                 * Format: int64
                 * @description Its number, from 1, without gaps.
                 */
                sequence: number;
                /** @description The client's network address. */
                source_address?: string | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_DatasetView: {
            /** @description What is on it. */
            items: {
                card?: components["schemas"]["DatasetCard"] | null;
                counts?: components["schemas"]["SplitCounts"] | null;
                /**
                 * Format: date-time
                 * @description When it was asked for.
                 */
                created_at: string;
                /** @description The user who asked for it. */
                created_by: string;
                /** @description Why it failed. */
                error?: string | null;
                /** @description Identifier. */
                id: string;
                /** @description Its name. */
                name: string;
                /** @description Radiographs read, of all. */
                progress: components["schemas"]["Progress"];
                /** @description Where the building stands. */
                state: components["schemas"]["State"];
                /** @description The uploads it is built from. */
                upload_ids: string[];
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_DestinationView: {
            /** @description What is on it. */
            items: {
                /** @description Whether it takes synthetic images; without that nothing is sent there. */
                accepts_synthetic: boolean;
                /** @description Host and port; of DICOMweb, the address of the service. */
                address: string;
                /** @description Its AE title, of DIMSE. */
                ae_title?: string | null;
                /** @description How the platform says who it is, of DICOMweb. */
                authentication: components["schemas"]["Authentication"];
                /** @description Certificates (PEM) of whoever may vouch for it, where it is a record; for administrators. */
                authorities?: string | null;
                /** @description This platform's, as the archive knows it, of DIMSE. */
                calling_ae_title?: string | null;
                /** @description Whether it stands in the configuration, and is changed there alone. */
                configured: boolean;
                /** @description By what it is spoken with. */
                kind: components["schemas"]["DestinationKind"];
                /** @description Its name. */
                name: string;
                /** @description The name in its certificate, where it is not the address's host. */
                server_name?: string | null;
                /**
                 * Format: int64
                 * @description Seconds to wait for it, each time.
                 */
                timeout_seconds: number;
                /** @description Whether the way there is secured by TLS. */
                tls: boolean;
                /** @description The name to log in with; for administrators. */
                username?: string | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_FindingView: {
            /** @description What is on it. */
            items: {
                /** @description The words in captions: `bacterial pneumonia`. */
                name: string;
                /** @description The word in requests: `bacterial_pneumonia`. */
                slug: string;
                /** @description SNOMED CT code, where one fits exactly. */
                snomed?: string | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_GenerationView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: int64
                 * @description How many generations come before this one; absent unless it is queued.
                 */
                ahead?: number | null;
                /**
                 * Format: date-time
                 * @description When it was asked for.
                 */
                created_at: string;
                /** @description The user who asked for it. */
                created_by: string;
                /** @description Why it failed. */
                error?: string | null;
                /** @description Identifier. */
                id: string;
                /** @description Denoising steps done, of all images together. */
                progress: components["schemas"]["Progress"];
                /** @description What was asked for. */
                request: components["schemas"]["GenerationRequest"];
                /** @description Where it stands. */
                state: components["schemas"]["State"];
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_ImageView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: date-time
                 * @description When it was finished.
                 */
                created_at: string;
                /** @description The generation that it belongs to. */
                generation_id: string;
                /** @description Identifier. */
                id: string;
                /**
                 * Format: int32
                 * @description Its place among that generation's images, from 0.
                 */
                index: number;
                /** @description Program, model, adapters and settings: enough to make it again. */
                provenance: components["schemas"]["Provenance"];
                /** @description Where it stands on its way out. */
                review_state: components["schemas"]["ReviewState"];
                /**
                 * Format: int64
                 * @description The seed of its noise.
                 */
                seed: number;
                /** @description SHA-256 of the DICOM file, hexadecimal. */
                sha256: string;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_RadiographView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: float
                 * @description Age in years.
                 */
                age_years?: number | null;
                /**
                 * Format: int32
                 * @description Bits Stored (0028,0101).
                 */
                bits_stored: number;
                /** @description Where it stands after quality control. */
                check_state: components["schemas"]["CheckState"];
                /**
                 * Format: int32
                 * @description Columns of the image.
                 */
                columns: number;
                /**
                 * Format: date-time
                 * @description When that was.
                 */
                decided_at?: string | null;
                /** @description The user who decided. */
                decided_by?: string | null;
                /** @description What speaks against it, worst first. */
                doubts: components["schemas"]["Doubt"][];
                /** @description Findings by the names of the vocabulary. */
                findings: string[];
                /** @description Identifier. */
                id: string;
                /** @description Laterality (0020,0062). */
                laterality?: string | null;
                /** @description Modality (0008,0060). */
                modality: string;
                /** @description A keyed hash of the patient's identifier: one patient has one pseudonym. */
                patient_pseudonym: string;
                /**
                 * Format: int32
                 * @description Rows of the image.
                 */
                rows: number;
                sex?: components["schemas"]["Sex"] | null;
                /** @description SHA-256 of the DICOM file, hexadecimal. */
                sha256: string;
                /** @description SOP Instance UID (0008,0018). */
                sop_instance_uid: string;
                /** @description Synthetic Data (0008,001C) is YES; never so in an upload. */
                synthetic: boolean;
                /** @description The upload that it came in. */
                upload_id: string;
                /** @description View Position (0018,5101). */
                view_position?: string | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_ReviewView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: date-time
                 * @description When it was given.
                 */
                created_at: string;
                /** @description Identifier. */
                id: string;
                /** @description The image. */
                image_id: string;
                /**
                 * Format: int32
                 * @description How real it looks, from 1 to 5.
                 */
                realism?: number | null;
                /** @description Why. */
                reason?: string | null;
                /** @description The user who gave it. */
                reviewer: string;
                /** @description That user's name to show. */
                reviewer_name: string;
                /** @description The verdict; the newest one counts. */
                verdict: components["schemas"]["Verdict"];
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_RunView: {
            /** @description What is on it. */
            items: {
                /** @description How it is trained. */
                config: components["schemas"]["RunConfig"];
                /**
                 * Format: date-time
                 * @description When it was asked for.
                 */
                created_at: string;
                /** @description The user who asked for it. */
                created_by: string;
                /** @description The data set it learns from. */
                dataset_id: string;
                /** @description Why it failed. */
                error?: string | null;
                /** @description Identifier; also the adapter's, once it is promoted. */
                id: string;
                /** @description Its name. */
                name: string;
                /** @description Steps done, of all. */
                progress: components["schemas"]["Progress"];
                /**
                 * Format: date-time
                 * @description When the adapter was promoted.
                 */
                promoted_at?: string | null;
                /** @description Where it stands. */
                state: components["schemas"]["State"];
                /**
                 * Format: float
                 * @description The same with the trained adapter.
                 */
                validation_loss_after?: number | null;
                /**
                 * Format: float
                 * @description Loss on held-out patients of the untouched model.
                 */
                validation_loss_before?: number | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_SampleView: {
            /** @description What is on it. */
            items: {
                age_group?: components["schemas"]["AgeGroup"] | null;
                /**
                 * Format: float
                 * @description Age in years.
                 */
                age_years?: number | null;
                /** @description The sentence that the model learns it by. */
                caption: string;
                /** @description Findings. */
                findings: string[];
                /**
                 * Format: int32
                 * @description Rows.
                 */
                height: number;
                /** @description Identifier within the data set. */
                id: string;
                /** @description The patient's pseudonym within this data set. */
                patient: string;
                sex?: components["schemas"]["Sex"] | null;
                /** @description SHA-256 of the frame's file. */
                sha256: string;
                /** @description Whether it is trained on or held out. */
                split: components["schemas"]["Split"];
                /** @description View position. */
                view_position?: string | null;
                /**
                 * Format: int32
                 * @description Columns.
                 */
                width: number;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_TransferView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: date-time
                 * @description When it was asked for.
                 */
                created_at: string;
                /** @description Name of the archive. */
                destination: string;
                /** @description Why it failed. */
                error?: string | null;
                /** @description Identifier. */
                id: string;
                /** @description The images. */
                image_ids: string[];
                /** @description How many images the archive has answered for. */
                progress: components["schemas"]["Progress"];
                /** @description Where it stands. */
                state: components["schemas"]["State"];
                /** @description What the archive kept with a warning, and why. */
                warning?: string | null;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_UploadView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: date-time
                 * @description When it came.
                 */
                created_at: string;
                /** @description The user who sent it. */
                created_by: string;
                /** @description Identifier. */
                id: string;
                /** @description Its name. */
                name: string;
                /**
                 * Format: int64
                 * @description How many of them wait for a person's decision.
                 */
                pending_count: number;
                /**
                 * Format: int64
                 * @description How many different radiographs it holds.
                 */
                radiograph_count: number;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description A page of a list. */
        Page_UserView: {
            /** @description What is on it. */
            items: {
                /**
                 * Format: date-time
                 * @description When the user was made.
                 */
                created_at: string;
                /** @description Whether the user may not log in. */
                disabled: boolean;
                /** @description Name to show. */
                display_name: string;
                /** @description Identifier. */
                id: string;
                /** @description Whether the password is for one time and must be changed. */
                must_change_password: boolean;
                /** @description What the user may be. */
                roles: components["schemas"]["Role"][];
                /** @description Name to log in with. */
                username: string;
            }[];
            /**
             * Format: int64
             * @description Its number, from 1.
             */
            page: number;
            /**
             * Format: int64
             * @description Items that a page may have.
             */
            page_size: number;
            /**
             * Format: int64
             * @description Items of the whole list.
             */
            total: number;
        };
        /** @description The old and the new password. */
        PasswordRequest: {
            /**
             * Format: password
             * @description The one that is good now.
             */
            current_password: string;
            /**
             * Format: password
             * @description The one that is to be: at least 12 characters, not the name.
             */
            new_password: string;
        };
        /** @description A problem document (RFC 9457). */
        Problem: {
            /** @description This occurrence in words. */
            detail: string;
            /** @description The fields that are at fault. */
            errors: components["schemas"]["FieldError"][];
            /** @description This occurrence: the request's number, which is in the log as well. */
            instance?: string | null;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description The kind in words. */
            title: string;
            /** @description What kind of problem it is; only its last part matters. */
            type: string;
        };
        /** @description How far work has come. `total` is 0 until it is known. */
        Progress: {
            /**
             * Format: int64
             * @description Steps done.
             */
            step: number;
            /**
             * Format: int64
             * @description Steps in all.
             */
            total: number;
        };
        /** @description What an image is to show, in parts. Parts that are absent are left to the model. */
        Prompt: {
            /**
             * @description `child` or `adult`.
             * @default null
             */
            age_group: string | null;
            /**
             * @description Findings by slug or name, alone or with place, severity and weight; `/findings` lists them.
             * @default []
             */
            findings: components["schemas"]["PromptFinding"][];
            /**
             * @description `female`, `male` or `other`.
             * @default null
             */
            sex: string | null;
            /**
             * @description How it was taken or recorded: `portable`, `digital`, `computed`, `film`, `low_contrast` or
             *     `high_contrast`.
             * @default null
             */
            style: string | null;
            /**
             * @description Anything more in free words, at most 2,000 characters; `(word:1.3)` gives a word weight.
             * @default null
             */
            text: string | null;
            /**
             * @description `AP`, `PA`, `LL` or `RL`.
             * @default null
             */
            view_position: string | null;
        };
        /**
         * @description A finding: its word alone, or with more about it. The engine's type as the API's description has
         *     it; a test holds them against each other.
         */
        PromptFinding: string | components["schemas"]["PromptFindingParts"];
        /** @description A finding with place, severity and weight. */
        PromptFindingParts: {
            /** @description Its slug, name or synonym. */
            finding: string;
            /** @description Where it lies: `left`, `right_lower_lobe` … */
            place?: string | null;
            /** @description `mild`, `moderate` or `severe`. */
            severity?: string | null;
            /**
             * Format: float
             * @description How much it counts in the prompt, above 0 and up to 2; 1 where it is absent.
             */
            weight?: number | null;
        };
        /** @description What of a text the model will not see, or not know. */
        PromptNote: {
            /** @description Text that the model has no room for; empty where it sees all. */
            beyond: string;
            /** @description `prompt` or `negative`. */
            field: string;
            /** @description Words that are not in the model's vocabulary, as written. */
            unknown: string[];
        };
        /** @description Program, model, adapters and settings: enough to make an image again. */
        Provenance: {
            /** @description The adapters that acted, in their order. */
            adapters: components["schemas"]["AdapterUse"][];
            /** @description Whom to credit for them. */
            attribution?: string[];
            /** @description The learned words that the prompts could use, in their order. */
            embeddings?: components["schemas"]["EmbeddingUse"][];
            /**
             * Format: float
             * @description How far guidance was brought back to the spread of the unguided prediction, 0 to 1.
             */
            guidance_rescale: number;
            /**
             * Format: float
             * @description Strength of guidance.
             */
            guidance_scale: number;
            /**
             * Format: int32
             * @description Rows.
             */
            height: number;
            /** @description The pictures that went in. */
            inputs: components["schemas"]["InputUse"][];
            /** @description Licences of the model, of the adapters and words that acted, and of what they learned from. */
            licence?: string;
            /** @description The model's name. */
            model: string;
            /** @description SHA-256 of the model's weights, hexadecimal. */
            model_sha256: string;
            /** @description What was led away from. */
            negative_prompt: string;
            /** @description Parameters of the sampling that were not at their defaults, by name. */
            options?: Record<string, never>;
            /** @description The program that made it. */
            program: string;
            /** @description How the seed becomes noise. */
            random_generator: string;
            /** @description The scheduler's name. */
            scheduler: string;
            /** @description The scheduler's whole configuration. */
            scheduler_config: Record<string, never>;
            /**
             * Format: int64
             * @description The seed of the noise.
             */
            seed: number;
            /**
             * Format: int32
             * @description Denoising steps.
             */
            steps: number;
            /**
             * Format: double
             * @description The share of the steps that was taken from an initial image; absent, it began with noise.
             */
            strength?: number | null;
            /** @description The program's version. */
            version: string;
            watermark?: components["schemas"]["WatermarkUse"] | null;
            /**
             * Format: int32
             * @description Columns.
             */
            width: number;
        };
        /**
         * @description A radiograph as the platform stored it. Of the patient it shows what training needs: a
         *     pseudonym, age, sex.
         */
        RadiographView: {
            /**
             * Format: float
             * @description Age in years.
             */
            age_years?: number | null;
            /**
             * Format: int32
             * @description Bits Stored (0028,0101).
             */
            bits_stored: number;
            /** @description Where it stands after quality control. */
            check_state: components["schemas"]["CheckState"];
            /**
             * Format: int32
             * @description Columns of the image.
             */
            columns: number;
            /**
             * Format: date-time
             * @description When that was.
             */
            decided_at?: string | null;
            /** @description The user who decided. */
            decided_by?: string | null;
            /** @description What speaks against it, worst first. */
            doubts: components["schemas"]["Doubt"][];
            /** @description Findings by the names of the vocabulary. */
            findings: string[];
            /** @description Identifier. */
            id: string;
            /** @description Laterality (0020,0062). */
            laterality?: string | null;
            /** @description Modality (0008,0060). */
            modality: string;
            /** @description A keyed hash of the patient's identifier: one patient has one pseudonym. */
            patient_pseudonym: string;
            /**
             * Format: int32
             * @description Rows of the image.
             */
            rows: number;
            sex?: components["schemas"]["Sex"] | null;
            /** @description SHA-256 of the DICOM file, hexadecimal. */
            sha256: string;
            /** @description SOP Instance UID (0008,0018). */
            sop_instance_uid: string;
            /** @description Synthetic Data (0008,001C) is YES; never so in an upload. */
            synthetic: boolean;
            /** @description The upload that it came in. */
            upload_id: string;
            /** @description View Position (0018,5101). */
            view_position?: string | null;
        };
        /** @description What works. */
        ReadyView: {
            /** @description Whether the database answers. */
            database: boolean;
            /** @description Whether a model is loaded. */
            model: boolean;
            /** @description Whether everything does. */
            ready: boolean;
            /** @description Whether object storage answers. */
            storage: boolean;
            /** @description Whether this process takes jobs. */
            worker: boolean;
        };
        /** @description A refresh token, for programs; pages send it as a cookie. */
        RefreshRequest: {
            /** @description The last refresh token that was given. */
            refresh_token?: string | null;
        };
        /**
         * @description Where an image stands on its way out.
         * @enum {string}
         */
        ReviewState: "pending" | "released" | "rejected";
        /** @description A review. */
        ReviewView: {
            /**
             * Format: date-time
             * @description When it was given.
             */
            created_at: string;
            /** @description Identifier. */
            id: string;
            /** @description The image. */
            image_id: string;
            /**
             * Format: int32
             * @description How real it looks, from 1 to 5.
             */
            realism?: number | null;
            /** @description Why. */
            reason?: string | null;
            /** @description The user who gave it. */
            reviewer: string;
            /** @description That user's name to show. */
            reviewer_name: string;
            /** @description The verdict; the newest one counts. */
            verdict: components["schemas"]["Verdict"];
        };
        /**
         * @description What a user may be.
         * @enum {string}
         */
        Role: "clinician" | "ml_engineer" | "auditor" | "admin";
        /** @description How an adapter is trained. */
        RunConfig: {
            /**
             * Format: double
             * @description The adapter's change is scaled by alpha / rank.
             */
            alpha: number;
            /** @description Images a step. */
            batch_size: number;
            /**
             * Format: double
             * @description Learning rate.
             */
            learning_rate: number;
            /** @description `lora`. */
            method: string;
            /** @description Rank of the adapter. */
            rank: number;
            /**
             * Format: int64
             * @description Seed of everything random.
             */
            seed: number;
            /**
             * Format: int64
             * @description Steps in all.
             */
            steps: number;
        };
        /** @description A run. */
        RunView: {
            /** @description How it is trained. */
            config: components["schemas"]["RunConfig"];
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /** @description The user who asked for it. */
            created_by: string;
            /** @description The data set it learns from. */
            dataset_id: string;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Identifier; also the adapter's, once it is promoted. */
            id: string;
            /** @description Its name. */
            name: string;
            /** @description Steps done, of all. */
            progress: components["schemas"]["Progress"];
            /**
             * Format: date-time
             * @description When the adapter was promoted.
             */
            promoted_at?: string | null;
            /** @description Where it stands. */
            state: components["schemas"]["State"];
            /**
             * Format: float
             * @description The same with the trained adapter.
             */
            validation_loss_after?: number | null;
            /**
             * Format: float
             * @description Loss on held-out patients of the untouched model.
             */
            validation_loss_before?: number | null;
        };
        /** @description What a file says of itself. */
        SaidView: {
            /** @description Manufacturer, model and version of the equipment that it says it was synthesized by. */
            equipment?: string | null;
            /** @description The model that made it, as our own files say. */
            model?: string | null;
            /** @description The sentence that the model was given, as our own files say. */
            prompt?: string | null;
            /**
             * Format: int64
             * @description The seed of its noise, as our own files say.
             */
            seed?: number | null;
            /** @description IPTC's digital source type in its metadata is that of a trained model. */
            source_type: boolean;
            /** @description Synthetic Data (0008,001C) is YES. */
            synthetic_data: boolean;
        };
        /** @description An image of a data set. */
        SampleView: {
            age_group?: components["schemas"]["AgeGroup"] | null;
            /**
             * Format: float
             * @description Age in years.
             */
            age_years?: number | null;
            /** @description The sentence that the model learns it by. */
            caption: string;
            /** @description Findings. */
            findings: string[];
            /**
             * Format: int32
             * @description Rows.
             */
            height: number;
            /** @description Identifier within the data set. */
            id: string;
            /** @description The patient's pseudonym within this data set. */
            patient: string;
            sex?: components["schemas"]["Sex"] | null;
            /** @description SHA-256 of the frame's file. */
            sha256: string;
            /** @description Whether it is trained on or held out. */
            split: components["schemas"]["Split"];
            /** @description View position. */
            view_position?: string | null;
            /**
             * Format: int32
             * @description Columns.
             */
            width: number;
        };
        /** @description A session. */
        SessionView: {
            /** @description For the `Authorization` header. */
            access_token: string;
            /**
             * Format: int32
             * @description Seconds that the access token is good for.
             */
            expires_in: number;
            /** @description For the next renewal; works once. Also in the cookie `skiagraph_refresh`. */
            refresh_token: string;
            /** @description `Bearer`. */
            token_type: string;
            /** @description Whose session it is. */
            user: components["schemas"]["UserView"];
        };
        /**
         * @description Sex, as DICOM knows it.
         * @enum {string}
         */
        Sex: "female" | "male" | "other";
        /** @description The signatures of a log, and how far they reach. */
        SignaturesView: {
            /**
             * Format: int64
             * @description Those of another key, which were passed over.
             */
            foreign: number;
            /**
             * Format: int64
             * @description Good ones.
             */
            good: number;
            /** @description First sixteen hexadecimal digits of the public key's SHA-256. */
            key: string;
            /** @description When that one was made (RFC 3339, UTC). */
            signed_at?: string | null;
            /**
             * Format: int64
             * @description The last row that a good one covers; 0 where there is none.
             */
            through: number;
        };
        /**
         * @description Which part of a data set a patient is in.
         * @enum {string}
         */
        Split: "train" | "validation";
        /** @description Samples or patients by split. */
        SplitCount: {
            /**
             * Format: int64
             * @description In training.
             */
            train: number;
            /**
             * Format: int64
             * @description In validation.
             */
            validation: number;
        };
        /** @description Counts by split. */
        SplitCounts: {
            /**
             * Format: int64
             * @description Images to train on.
             */
            train: number;
            /**
             * Format: int64
             * @description Patients to train on.
             */
            train_patients: number;
            /**
             * Format: int64
             * @description Images of held-out patients.
             */
            validation: number;
            /**
             * Format: int64
             * @description Held-out patients.
             */
            validation_patients: number;
        };
        /**
         * @description Where long work stands.
         * @enum {string}
         */
        State: "queued" | "running" | "succeeded" | "failed" | "cancelled";
        /** @description What a run says while it works. */
        TrainEvent: {
            /** @enum {string} */
            event: "started";
            /**
             * Format: int64
             * @description The step before the first one that follows.
             */
            step: number;
            /**
             * Format: int64
             * @description Steps in all.
             */
            total_steps: number;
            /**
             * Format: int64
             * @description Weights that are trained.
             */
            trainable_weights: number;
            /**
             * Format: int64
             * @description Images to train on.
             */
            training_samples: number;
            /**
             * Format: int64
             * @description Images of held-out patients.
             */
            validation_samples: number;
        } | {
            /** @description What, in a sentence. */
            cause: string;
            /** @enum {string} */
            event: "warning";
            /**
             * Format: int64
             * @description Before which step was it seen; 0 is before the first.
             */
            step: number;
        } | {
            /**
             * Format: int64
             * @description Bytes that a step takes besides: its activations. Absent where the system does not tell.
             */
            activation_bytes?: number | null;
            /** @enum {string} */
            event: "estimate";
            /**
             * Format: int64
             * @description Bytes of their gradients.
             */
            gradient_bytes: number;
            /**
             * Format: int64
             * @description Bytes of the optimiser's moments, averages and masters.
             */
            optimiser_bytes: number;
            /**
             * Format: int64
             * @description Bytes of the process's memory at its peak, all together. Absent where the system does not tell.
             */
            peak_bytes?: number | null;
            /**
             * Format: double
             * @description Seconds that the steps left take, with their looks at held-out patients.
             */
            seconds: number;
            /**
             * Format: int64
             * @description After which step; 0 is before the first.
             */
            step: number;
            /**
             * Format: int64
             * @description Bytes of the weights that are trained.
             */
            weight_bytes: number;
        } | {
            /** @enum {string} */
            event: "step";
            /**
             * Format: float
             * @description Norm of the gradient before clipping.
             */
            gradient_norm: number;
            /**
             * Format: double
             * @description Learning rate of the step.
             */
            learning_rate: number;
            /**
             * Format: float
             * @description Loss of the step's batch.
             */
            loss: number;
            /**
             * Format: double
             * @description Estimate of the time left.
             */
            seconds_left: number;
            /**
             * Format: int64
             * @description Which, counted from 1.
             */
            step: number;
            /**
             * Format: int64
             * @description Steps in all.
             */
            total_steps: number;
        } | {
            /** @enum {string} */
            event: "validation";
            /**
             * Format: float
             * @description Loss on held-out patients.
             */
            loss: number;
            /**
             * Format: int64
             * @description After which step; 0 is before the first.
             */
            step: number;
        } | {
            /** @enum {string} */
            event: "checkpoint";
            /**
             * Format: int64
             * @description After which step.
             */
            step: number;
        } | {
            /** @enum {string} */
            event: "finished";
            /**
             * Format: int64
             * @description Steps that were done.
             */
            step: number;
            /**
             * Format: float
             * @description The same after the last.
             */
            validation_loss_after: number;
            /**
             * Format: float
             * @description Loss on held-out patients before the first step.
             */
            validation_loss_before: number;
        };
        /** @description A transfer. */
        TransferView: {
            /**
             * Format: date-time
             * @description When it was asked for.
             */
            created_at: string;
            /** @description Name of the archive. */
            destination: string;
            /** @description Why it failed. */
            error?: string | null;
            /** @description Identifier. */
            id: string;
            /** @description The images. */
            image_ids: string[];
            /** @description How many images the archive has answered for. */
            progress: components["schemas"]["Progress"];
            /** @description Where it stands. */
            state: components["schemas"]["State"];
            /** @description What the archive kept with a warning, and why. */
            warning?: string | null;
        };
        /** @description The form of an upload; the files may be DICOM files, a folder's files, or ZIPs of them. */
        UploadForm: {
            /** @description DICOM files and ZIPs; the part is repeated. 2 GB in all. */
            files: string[];
            /** @description A name for the upload, at most 120 characters. */
            name?: string | null;
        };
        /** @description A set of radiographs that came in one request. */
        UploadView: {
            /**
             * Format: date-time
             * @description When it came.
             */
            created_at: string;
            /** @description The user who sent it. */
            created_by: string;
            /** @description Identifier. */
            id: string;
            /** @description Its name. */
            name: string;
            /**
             * Format: int64
             * @description How many of them wait for a person's decision.
             */
            pending_count: number;
            /**
             * Format: int64
             * @description How many different radiographs it holds.
             */
            radiograph_count: number;
        };
        /** @description A user. */
        UserView: {
            /**
             * Format: date-time
             * @description When the user was made.
             */
            created_at: string;
            /** @description Whether the user may not log in. */
            disabled: boolean;
            /** @description Name to show. */
            display_name: string;
            /** @description Identifier. */
            id: string;
            /** @description Whether the password is for one time and must be changed. */
            must_change_password: boolean;
            /** @description What the user may be. */
            roles: components["schemas"]["Role"][];
            /** @description Name to log in with. */
            username: string;
        };
        /**
         * @description A reader's verdict.
         * @enum {string}
         */
        Verdict: "release" | "reject";
        /** @description Whether the log is as it was written. */
        VerdictView: {
            /**
             * Format: int64
             * @description Rows that were looked at.
             */
            checked: number;
            first_broken?: components["schemas"]["BreakView"] | null;
            /** @description Whether every row is as it was written, and none is missing. */
            intact: boolean;
            /** @description The signatures on the way. */
            signatures: components["schemas"]["SignaturesView"];
        };
        /**
         * @description What follows from what was found.
         * @enum {string}
         */
        VerdictWord: "synthetic" | "contradicted" | "declared" | "unknown";
        /** @description What a file turned out to be. */
        VerificationView: {
            /** @description Who vouches for that. */
            credential: components["schemas"]["CredentialView"];
            /** @description The file's form. */
            format: components["schemas"]["FormatWord"];
            /**
             * Format: int32
             * @description Rows.
             */
            height: number;
            registry?: components["schemas"]["KnownView"] | null;
            /** @description What it says of itself. */
            said: components["schemas"]["SaidView"];
            /** @description SHA-256 of the file, hexadecimal. */
            sha256: string;
            /** @description What follows. */
            verdict: components["schemas"]["VerdictWord"];
            /** @description The mark in its pixels. */
            watermark: components["schemas"]["WatermarkView"];
            /**
             * Format: int32
             * @description Columns.
             */
            width: number;
        };
        /** @description The form with the file to look at. */
        VerifyForm: {
            /** @description One DICOM, PNG or JPEG file, 128 MiB at most. */
            files: string[];
        };
        /** @description The mark that an image's pixels bear. */
        WatermarkUse: {
            /** @description Fingerprint of its key, hexadecimal. */
            key: string;
            /** @description Name and version of the way of marking. */
            scheme: string;
        };
        /** @description The mark in the pixels. */
        WatermarkView: {
            /**
             * Format: double
             * @description The largest probability of such a score without a mark.
             */
            false_alarm: number;
            /** @description Whether there is one. */
            found: boolean;
            /** @description Fingerprint of the key, hexadecimal. */
            key: string;
            /**
             * Format: double
             * @description How far the image agrees with the key, in standard deviations.
             */
            score: number;
            /**
             * Format: double
             * @description The score from which on it is a mark.
             */
            threshold: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
